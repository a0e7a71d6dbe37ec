import { ScarError } from '../../errors.js';
import type { ClientContext } from '../context.js';
import type { InvocationLog } from './invocation-log.js';

/** CloudWatch is late by seconds: the report of an invocation that is over comes within this, or never. */
const PATIENCE_MS = 5 * 60_000;

/**
 * Gives up on the report of an invocation that is over.
 *
 * @param askedAt - since when its log was looked for, in ms since 1970
 * @param passBegan - when the pass began that did not bring it: what the loop took for its events does not count
 * @throws ScarError `log-cut`
 */
export function checkPatience(group: string, invocation: InvocationLog, askedAt: number, passBegan: number): void {
  if (invocation.isReported || passBegan - askedAt <= PATIENCE_MS) return;
  const { requestId } = invocation;
  const message =
    `The log of invocation ${requestId} did not come to its end in ${PATIENCE_MS / 60_000} minutes, though it is over. See that ` +
    `the function's role may write to ${group} (logs:CreateLogStream, logs:PutLogEvents). The result's logs have the last lines`;
  throw new ScarError('log-cut', message, { context: { requestId, group } });
}

/** Tells of lines that the result of an invocation has and CloudWatch has not. */
export function warnOfMissing({ notify }: ClientContext, { requestId, missing }: InvocationLog): void {
  if (missing === 0) return;
  notify.warning({
    code: 'log-incomplete',
    message: `CloudWatch does not have ${missing} of the last lines of invocation ${requestId}. The result's logs have them`,
    context: { requestId, missing },
  });
}
