import { Socket } from 'node:net';
import { RuntimeApiChannel } from './node-runtime/channel.js';
import { blockOnOutput, patchConsole } from './node-runtime/console.js';
import { runHandler } from './node-runtime/handler-call.js';
import { loadHandler } from './node-runtime/handler-loader.js';
import { InvocationLoop } from './node-runtime/loop.js';

/** The descriptor on which the engine passes the Runtime API; see RuntimeProcess. */
const RUNTIME_API_DESCRIPTOR = 3;

const socket = new Socket({ fd: RUNTIME_API_DESCRIPTOR, readable: true, writable: true });
// Without its engine a runtime has nothing left to do.
socket.on('close', () => process.exit(1));
socket.on('error', () => process.exit(1));

const environment = process.env;
const loop = new InvocationLoop(new RuntimeApiChannel(socket), environment);
blockOnOutput();
patchConsole(() => loop.requestId);
loop.catchWhatEscapes();
await loop.run(
  () => loadHandler(environment.LAMBDA_TASK_ROOT ?? process.cwd(), environment._HANDLER ?? ''),
  runHandler(environment.AWS_EXECUTION_ENV ?? ''),
);
