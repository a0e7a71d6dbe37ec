import { ScarError } from '../errors.js';
import type { ClientContext } from './context.js';
import type { WarningEvent } from './events.js';

/**
 * How many invocations of a function may run at once: what was asked for, but no more than the function's reserved
 * concurrency or else what the account has left, and no more than there are connections. Read live.
 *
 * @param warn - is told when something caps it, or when the limits may not be read
 */
export async function allowedConcurrency(
  context: ClientContext,
  functionName: string,
  wanted: number,
  warn: (event: WarningEvent) => void,
  signal: AbortSignal,
): Promise<number> {
  const limits = [
    { limit: await lambdaLimit(context, functionName, warn, signal), what: 'what Lambda allows' },
    {
      limit: context.config.clients.lambda ? Number.POSITIVE_INFINITY : context.config.sockets,
      what: "the client's sockets",
    },
  ];
  const lowest = limits.reduce((a, b) => (b.limit < a.limit ? b : a));
  if (wanted <= lowest.limit) return wanted;
  const limit = Math.max(1, lowest.limit);
  warn({
    code: 'concurrency-capped',
    message: `Concurrency ${wanted} for ${functionName} is capped at ${limit}, ${lowest.what}`,
    context: { functionName, wanted, limit },
  });
  return limit;
}

/** Reserved for the function, or else unreserved in the account; infinite if the permission to read it is missing. */
async function lambdaLimit(
  context: ClientContext,
  functionName: string,
  warn: (event: WarningEvent) => void,
  signal: AbortSignal,
): Promise<number> {
  try {
    const reserved = await context.functions.reservedConcurrency(functionName, signal);
    if (reserved === 0) throw switchedOff(functionName);
    return reserved ?? (await context.functions.accountConcurrency(signal)).unreserved;
  } catch (error) {
    if (!(error instanceof ScarError) || error.code !== 'permission-denied') throw error;
    warn({
      code: 'concurrency-unknown',
      message: `The limits on concurrency of ${functionName} cannot be read, and throttles will show them: ${error.message}`,
      context: { functionName },
    });
    return Number.POSITIVE_INFINITY;
  }
}

/** A reserved concurrency of 0 is Lambda's way to stop a function: every invocation would be throttled. */
function switchedOff(functionName: string): ScarError {
  return new ScarError(
    'throttled',
    `Function ${functionName} must be allowed to run; its reserved concurrency is 0. Raise or remove the reservation`,
    { context: { functionName, reservedConcurrency: 0 } },
  );
}
