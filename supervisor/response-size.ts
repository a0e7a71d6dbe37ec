import type { InvocationResponse } from '../src/contract/index.js';

/**
 * What Lambda takes as a synchronous response is 6 MB
 * (https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html); a larger one would lose the outcome as a whole.
 */
export const MAX_RESPONSE_BYTES = 5_500_000;

/** Outputs below which no response can be too large: a key has at most 1,024 bytes, a bucket's name 63. */
const ALWAYS_FITS = 2_000;

/**
 * Cuts lists of outputs until the response fits, and says in each outcome how many are left out; they are staged out all
 * the same.
 */
export function fitResponse(response: InvocationResponse): void {
  const { outcomes } = response;
  const listed = () => outcomes.reduce((sum, { outputs }) => sum + outputs.length, 0);
  while (listed() > ALWAYS_FITS && Buffer.byteLength(JSON.stringify(response)) > MAX_RESPONSE_BYTES) {
    const longest = outcomes.reduce((a, b) => (b.outputs.length > a.outputs.length ? b : a));
    const omitted = longest.outputs.splice(Math.floor(longest.outputs.length / 2)).length;
    longest.outputsOmitted = (longest.outputsOmitted ?? 0) + omitted;
  }
}
