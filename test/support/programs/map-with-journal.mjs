// A user's program that maps a function over a bucket with a journal, or goes on with such a run. It prints a line for each result before it
// asks for the next one: what it has printed, it was given, whenever it is killed.
import { pathToFileURL } from 'node:url';

const [entry = '', settings = ''] = process.argv.slice(2);
const { client, functionName, map, resume } = JSON.parse(settings);
const { ScarClient } = await import(pathToFileURL(entry).href);

const say = (message) => new Promise((done) => process.stdout.write(`${JSON.stringify(message)}\n`, done));
const scar = new ScarClient(client);
const run = resume ? scar.resumeMap(resume.runId, resume.options) : scar.mapOverBucket(functionName, map);
await say({ runId: run.runId });
try {
  for await (const { key, requestId, status, reason } of run)
    await say({ key, result: [status, reason, requestId].join(' ') });
  await say({ summary: run.summary });
} catch (error) {
  await say({ error: { code: error.code, message: error.message } });
}
await scar.close();
