// Plays Lambda's Node runtime for the built supervisor: loads its handler, passes events on, and answers over IPC.
// Standard output and error are the function's log, and nothing else.
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const { handler } = await import(pathToFileURL(join(process.env.LAMBDA_TASK_ROOT, 'index.mjs')).href);

process.on('message', async ({ id, event, requestId, timeoutMs }) => {
  const deadline = Date.now() + timeoutMs;
  const context = { awsRequestId: requestId, getRemainingTimeInMillis: () => deadline - Date.now() };
  try {
    process.send({ id, response: await handler(event, context) });
  } catch (error) {
    process.send({ id, error: { name: error.name, message: error.message, code: error.code } });
  }
});
process.send({ ready: true });
