import type { FunctionDetails } from '../aws/lambda.js';
import type { FunctionSpec } from '../contract/index.js';
import { ScarError } from '../errors.js';
import { type PackageContents, unpackFunction } from './function-package.js';

/** A function's package as Lambda has it. */
export interface FunctionCode extends PackageContents {
  zip: Uint8Array;
  spec: FunctionSpec;
}

/**
 * Fetches a function's package by the link that GetFunction gave, which is good for ten minutes.
 *
 * @throws ScarError `service`; the signal's reason
 */
export async function fetchFunctionCode(details: FunctionDetails, signal: AbortSignal): Promise<FunctionCode> {
  const { name } = details.facts;
  let zip: Uint8Array;
  try {
    if (details.codeLocation === undefined) throw new Error('Lambda gave no link to it');
    const answer = await fetch(details.codeLocation, { signal });
    if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
    zip = new Uint8Array(await answer.arrayBuffer());
  } catch (error) {
    signal.throwIfAborted();
    // The link is a secret for as long as it is good: it stays out of the message.
    const reason = error instanceof Error ? error.message : String(error);
    throw new ScarError('service', `Could not fetch the package of function ${name}: ${reason}`, {
      context: { functionName: name },
      retryable: true,
    });
  }
  return { zip, ...unpackFunction(zip) };
}
