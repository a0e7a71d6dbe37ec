import type { Notifier } from './context.js';

/** What has been made so far and how to unmake it, in reverse order. */
export class Rollback {
  readonly #steps: { what: string; undo: () => Promise<unknown> }[] = [];

  /** Says that something now exists: `what` names it for messages. */
  made(what: string, undo: () => Promise<unknown>): void {
    this.#steps.push({ what, undo });
  }

  /** Unmakes everything; what cannot be unmade is told in a warning, because the first error is the one that is thrown. */
  async run(functionName: string, notify: Notifier): Promise<void> {
    for (const { what, undo } of this.#steps.splice(0).reverse()) {
      try {
        await undo();
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        notify.warning({
          code: 'rollback-incomplete',
          message: `Left behind: ${what} of function ${functionName}, which could not be removed: ${message}`,
          context: { functionName, what, error: message },
        });
      }
    }
  }
}
