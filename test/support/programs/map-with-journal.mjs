// A user's program that maps a function over a bucket with a journal, or goes on with such a run. It prints a line for each result, at once:
// what it has printed, it was given, whenever it is killed.
import { writeSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

const [entry = '', settings = ''] = process.argv.slice(2);
const { client, functionName, map, resume } = JSON.parse(settings);
const { ScarClient } = await import(pathToFileURL(entry).href);

const say = (message) => writeSync(1, `${JSON.stringify(message)}\n`);
const scar = new ScarClient(client);
const run = resume ? scar.resumeMap(resume.runId, resume.options) : scar.mapOverBucket(functionName, map);
say({ runId: run.runId });
try {
  for await (const { key, requestId, status, reason } of run)
    say({ key, result: [status, reason, requestId].join(' ') });
  say({ summary: run.summary });
} catch (error) {
  say({ error: { code: error.code, message: error.message } });
}
await scar.close();
