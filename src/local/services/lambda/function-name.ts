import { errors } from './errors.js';
import { LATEST } from './function-record.js';

/** A function as a request names it. */
export interface FunctionName {
  readonly name: string;
  /** A version or alias; undefined when none was named. */
  readonly qualifier: string | undefined;
}

/** The pattern of Lambda's API model: a name, a partial ARN or a whole one, each with an optional qualifier. */
const PATTERN =
  /^(arn:(aws[a-zA-Z-]*)?:lambda:)?((?:eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?([a-zA-Z0-9-_]+)(:(\$LATEST(\.PUBLISHED)?|[a-zA-Z0-9-_]+))?$/;

const NAME = 10;
const QUALIFIER = 12;
const MAX_NAME = 64;

/** @throws ServiceError `ValidationException` */
export function parseFunctionName(text: string, member = 'functionName'): FunctionName {
  const match = PATTERN.exec(text);
  const name = match?.[NAME];
  if (!match || name === undefined) {
    const rule = PATTERN.source.slice(1, -1);
    throw errors.validation(text, member, `Member must satisfy regular expression pattern: ${rule}`);
  }
  if (name.length > MAX_NAME) {
    throw errors.validation(text, member, `Member must have length less than or equal to ${MAX_NAME}`);
  }
  return { name, qualifier: match[QUALIFIER] };
}

/** `arn:aws:lambda:REGION:ACCOUNT:function:NAME`, with the qualifier when there is one. */
export function functionArn(region: string, accountId: string, name: string, qualifier?: string): string {
  const arn = `arn:aws:lambda:${region}:${accountId}:function:${name}`;
  return qualifier === undefined ? arn : `${arn}:${qualifier}`;
}

/** The engine has no published versions and no aliases: only `$LATEST` exists. */
export const exists = (qualifier: string | undefined): boolean => qualifier === undefined || qualifier === LATEST;
