import type { Reply, RuntimeApiChannel } from './channel.js';
import { errorBody, errorLine, RuntimeError } from './errors.js';
import type { HandlerCall } from './handler-call.js';
import type { Handler } from './handler-loader.js';

/** Exit status after an error that ends the runtime: that of Lambda's own. */
const FAILED = 129;

/** The life of a runtime: init, then one event after the other, until the environment ends. */
export class InvocationLoop {
  /** Of the invocation at hand; undefined during init. */
  requestId: string | undefined;
  #phase: 'init' | 'waiting' | 'serving' | 'answered' = 'init';
  readonly #channel: RuntimeApiChannel;
  readonly #environment: NodeJS.ProcessEnv;

  constructor(channel: RuntimeApiChannel, environment: NodeJS.ProcessEnv) {
    this.#channel = channel;
    this.#environment = environment;
  }

  /** Loads the handler, then serves until the process is killed. */
  async run(load: () => Promise<Handler>, call: HandlerCall): Promise<void> {
    let handler: Handler;
    try {
      handler = await load();
    } catch (thrown) {
      return this.#failInit(thrown);
    }
    for (;;) {
      this.#phase = 'waiting';
      const event = await this.#channel.next();
      this.#phase = 'serving';
      this.requestId = event.headers['lambda-runtime-aws-request-id'];
      this.#environment._X_AMZN_TRACE_ID = event.headers['lambda-runtime-trace-id'];
      await this.#serve(handler, call, event);
    }
  }

  /** Errors that no handler's promise carries end the process, after they were reported. */
  catchWhatEscapes(): void {
    process.on('uncaughtException', (thrown) => void this.#escape(thrown, 'Uncaught Exception'));
    process.on('unhandledRejection', (reason) => {
      const message = reason instanceof Error ? String(reason) : `${reason}`;
      const cause = reason instanceof Error ? reason : undefined;
      void this.#escape(
        new RuntimeError('Runtime.UnhandledPromiseRejection', message, cause),
        'Unhandled Promise Rejection',
      );
    });
  }

  async #serve(handler: Handler, call: HandlerCall, event: Reply): Promise<void> {
    const path = `invocation/${this.requestId}`;
    // A handler that leaves nothing behind that could ever answer is answered for, with null.
    let abandon: () => void = () => {};
    const abandoned = new Promise<null>((resolve) => {
      abandon = () => setImmediate(resolve, null);
    });
    process.once('beforeExit', abandon);
    try {
      const result = await Promise.race([call(handler, event, this.#environment), abandoned]);
      const body = serialise(result);
      this.#phase = 'answered';
      await this.#channel.post(`${path}/response`, body);
    } catch (thrown) {
      this.#phase = 'answered';
      console.error('Invoke Error', errorLine(thrown));
      await this.#postError(`${path}/error`, thrown);
    } finally {
      process.removeListener('beforeExit', abandon);
    }
  }

  async #failInit(thrown: unknown): Promise<void> {
    console.error('Uncaught Exception', errorLine(thrown));
    await this.#postError('init/error', thrown);
    process.exit(FAILED);
  }

  async #escape(thrown: unknown, what: string): Promise<void> {
    const phase = this.#phase;
    this.#phase = 'answered';
    console.error(what, errorLine(thrown));
    // Between invocations there is nobody to tell, and an invocation has one answer.
    if (phase === 'init') await this.#postError('init/error', thrown);
    if (phase === 'serving') await this.#postError(`invocation/${this.requestId}/error`, thrown);
    process.exit(FAILED);
  }

  #postError(path: string, thrown: unknown): Promise<Reply> {
    const body = errorBody(thrown);
    return this.#channel.post(path, JSON.stringify(body), {
      'Content-Type': 'application/json',
      'Lambda-Runtime-Function-Error-Type': encodeURI(body.errorType),
    });
  }
}

/** @throws RuntimeError when the result has no JSON form */
function serialise(result: unknown): string {
  try {
    return JSON.stringify(result === undefined ? null : result) ?? 'null';
  } catch {
    throw new RuntimeError('Runtime.MarshalError', 'Unable to stringify response body');
  }
}
