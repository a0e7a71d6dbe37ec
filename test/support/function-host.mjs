// Plays Lambda's Node runtime for the built supervisor: loads its handler, passes events on, and answers, over a
// connection to the port in its argument. Standard output and error are the function's log, and nothing else.
import { connect } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

const { handler } = await import(pathToFileURL(join(process.env.LAMBDA_TASK_ROOT, 'index.mjs')).href);
const socket = connect({ host: '127.0.0.1', port: Number(process.argv[2]) });

for await (const line of createInterface({ input: socket })) {
  const { id, event, requestId, timeoutMs } = JSON.parse(line);
  const deadline = Date.now() + timeoutMs;
  const context = { awsRequestId: requestId, getRemainingTimeInMillis: () => deadline - Date.now() };
  const reply = await handler(event, context).then(
    (response) => ({ id, response }),
    ({ message, code }) => ({ id, error: { message, code } }),
  );
  socket.write(`${JSON.stringify(reply)}\n`);
}
process.exit();
