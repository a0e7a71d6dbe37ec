import type { FunctionFacts } from '../aws/lambda.js';
import { FunctionError, ScarError } from '../errors.js';
import type { ClientContext } from './context.js';

/** Delays between looks at a state that changes in seconds, in ms. */
const FIRST_LOOK_MS = 100;
const LONGEST_LOOK_MS = 2_000;
const GROWTH = 1.5;

/** How long Lambda may take to make or change a function; it needs some seconds, in a VPC about a minute. */
const READY_MS = 5 * 60_000;

/** How long a role that was just made may be unknown: IAM is eventually consistent, usually within 10 s. */
const ROLE_MS = 60_000;

/** How long S3 may need to see a permission that was just given to it. */
const PERMISSION_MS = 30_000;

/**
 * Waits until a function can be invoked and changed: `State` Active (or Inactive, which an invocation wakes) and
 * `LastUpdateStatus` Successful.
 *
 * @throws FunctionError `function-not-ready` if Lambda gave up, or 5 minutes were not enough
 */
export async function waitUntilReady(
  context: ClientContext,
  name: string,
  signal: AbortSignal,
): Promise<FunctionFacts> {
  let facts: FunctionFacts | undefined;
  for await (const _ of looks(context, READY_MS, signal)) {
    facts = await context.functions.configuration(name, signal);
    if (facts.state === 'Failed') throw notReady(name, `it failed (${facts.stateReason})`);
    if (facts.lastUpdate === 'Failed') throw notReady(name, `its update failed (${facts.lastUpdateReason})`);
    if (facts.state !== 'Pending' && facts.lastUpdate !== 'InProgress') return facts;
  }
  throw notReady(name, `after ${READY_MS / 1000} s it was still ${facts?.state}, its update ${facts?.lastUpdate}`);
}

/** Tries until the execution role is known to Lambda, for at most a minute. */
export function untilRoleIsKnown<T>(
  context: ClientContext,
  doing: string,
  signal: AbortSignal,
  attempt: () => Promise<T>,
): Promise<T> {
  return untilItPasses(context, doing, ROLE_MS, signal, attempt, (error) => error.code === 'role-not-assumable');
}

/** Tries until S3 sees the permission to invoke the function, for at most half a minute. */
export function untilPermissionIsSeen<T>(
  context: ClientContext,
  doing: string,
  signal: AbortSignal,
  attempt: () => Promise<T>,
): Promise<T> {
  // S3's InvalidArgument: "Unable to validate the following destination configurations".
  return untilItPasses(context, doing, PERMISSION_MS, signal, attempt, (error) =>
    /Unable to validate/i.test(error.message),
  );
}

async function untilItPasses<T>(
  context: ClientContext,
  doing: string,
  patienceMs: number,
  signal: AbortSignal,
  attempt: () => Promise<T>,
  passes: (error: ScarError) => boolean,
): Promise<T> {
  let last: unknown;
  for await (const { number, nextMs } of looks(context, patienceMs, signal)) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof ScarError) || !passes(error)) throw error;
      last = error;
      if (nextMs !== undefined) context.notify.retry({ doing, attempt: number + 1, delayMs: nextMs, error });
    }
  }
  throw last;
}

/** Turns to look, with growing delays between them that add up to `patienceMs`. */
async function* looks(
  context: ClientContext,
  patienceMs: number,
  signal: AbortSignal,
): AsyncGenerator<{ number: number; nextMs: number | undefined }> {
  let waited = 0;
  let delay = FIRST_LOOK_MS;
  for (let number = 1; ; number++) {
    const last = waited >= patienceMs;
    yield { number, nextMs: last ? undefined : delay };
    if (last) return;
    await context.sleep(delay, signal);
    waited += delay;
    delay = Math.min(delay * GROWTH, LONGEST_LOOK_MS);
  }
}

function notReady(name: string, what: string): FunctionError {
  return new FunctionError('function-not-ready', `Function ${name} should be ready to be invoked, but ${what}`, {
    context: { functionName: name },
  });
}
