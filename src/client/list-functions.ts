import pLimit from 'p-limit';
import { TAGS } from '../contract/index.js';
import { ScarError } from '../errors.js';
import { type ClientContext, underClient } from './context.js';
import { describe, type FunctionDescription, isOurs } from './function-description.js';
import { HANDLER } from './function-package.js';
import type { CallOptions } from './get-function.js';
import * as check from './validate.js';

export interface ListFunctionsOptions extends CallOptions {
  /** Only functions with this tag `owner`. Default: everybody's. */
  owner?: string;
}

/** Tags are read one function at a time, and Lambda allows 15 control calls a second. */
const TAG_READS = 8;

/** `ScarClient.listFunctions`. */
export function listFunctions(
  context: ClientContext,
  options: ListFunctionsOptions = {},
): Promise<FunctionDescription[]> {
  check.knownOptions(options, ['owner', 'signal'], 'listFunctions');
  check.optionalString('owner', options.owner);
  check.abortSignal(options.signal);
  return underClient(context, options.signal, async (signal) => {
    const limit = pLimit(TAG_READS);
    const found: Promise<FunctionDescription[]>[] = [];
    for await (const page of context.functions.list(signal)) {
      // ListFunctions tells no tags: only what could be ours is asked for them.
      const candidates = page.filter(({ handler }) => handler === HANDLER);
      found.push(
        limit
          .map(candidates, async (facts) => {
            const tags = await tagsOf(context, facts.arn, signal);
            const wanted = isOurs(tags) && (options.owner === undefined || tags[TAGS.owner] === options.owner);
            return wanted ? [describe(facts, tags)] : [];
          })
          .then((descriptions) => descriptions.flat()),
      );
    }
    return (await Promise.all(found)).flat();
  });
}

/** None for a function that was deleted meanwhile. */
async function tagsOf(context: ClientContext, arn: string, signal: AbortSignal): Promise<Record<string, string>> {
  try {
    return await context.functions.tags(arn, signal);
  } catch (error) {
    if (error instanceof ScarError && error.code === 'function-not-found') return {};
    throw error;
  }
}
