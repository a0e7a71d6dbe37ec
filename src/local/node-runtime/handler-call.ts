import type { Reply } from './channel.js';
import { type Context, createContext } from './context.js';
import { RuntimeError } from './errors.js';
import type { Handler } from './handler-loader.js';

/** Calls a handler with one event; rejects with what it throws. */
export type HandlerCall = (handler: Handler, event: Reply, environment: NodeJS.ProcessEnv) => Promise<unknown>;

/** Runtimes after Node.js 22 refuse handlers that take a callback (https://docs.aws.amazon.com/lambda/latest/dg/nodejs-handler.html). */
const CALLBACKS_UNTIL = 22;

/**
 * The way to call handlers in the runtime named by AWS_EXECUTION_ENV, e.g. `AWS_Lambda_nodejs22.x`: async ones by their
 * promise, others by callback, `context.done` and their like.
 */
export function runHandler(executionEnvironment: string): HandlerCall {
  const version = Number(/nodejs(\d+)/.exec(executionEnvironment)?.[1] ?? 0);
  return (handler, event, environment) => {
    if (version > CALLBACKS_UNTIL && handler.length >= 3) {
      throw new RuntimeError(
        'Runtime.CallbackHandlerDeprecated',
        `AWS Lambda has removed support for callback-based function handlers starting with Node.js 24. You need to modify this function to use a supported handler signature to use Node.js 24 or later. For more information see https://docs.aws.amazon.com/lambda/latest/dg/nodejs-handler.html.`,
      );
    }
    return call(handler, event, environment, version > CALLBACKS_UNTIL);
  };
}

function call(handler: Handler, event: Reply, environment: NodeJS.ProcessEnv, takesValues: boolean): Promise<unknown> {
  return new Promise((resolve, reject) => {
    let context: Context;
    const done = (error: unknown, result?: unknown): void => {
      const settle = error === null || error === undefined ? () => resolve(result) : () => reject(error);
      // In callback style the answer waits until the event loop is empty, unless the handler says otherwise.
      if (context.callbackWaitsForEmptyEventLoop) process.once('beforeExit', settle);
      else settle();
    };
    context = createContext(event, environment, { done });
    const result = handler(JSON.parse(event.body.toString() || '{}'), context, done);
    if (isThenable(result)) result.then(resolve, reject);
    else if (takesValues) resolve(result);
  });
}

const isThenable = (value: unknown): value is PromiseLike<unknown> =>
  value !== null && typeof value === 'object' && 'then' in value && typeof value.then === 'function';
