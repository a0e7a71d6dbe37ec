import { errors } from './errors.js';

const GROUP = /^[.\-_/#A-Za-z0-9]+$/;
const STREAM = /^[^:*]*$/;
const MAX_NAME = 512;

/** @throws ServiceError when a group cannot have that name */
export function groupName(name: string | undefined): string {
  return checkName(name, 'logGroupName', GROUP);
}

/** @throws ServiceError when a stream cannot have that name */
export function streamName(name: string | undefined): string {
  return checkName(name, 'logStreamName', STREAM);
}

/** The group of a request that may name it or give its ARN. @throws ServiceError when both or neither are there */
export function groupOf(request: {
  logGroupName?: string | undefined;
  logGroupIdentifier?: string | undefined;
}): string {
  const { logGroupName, logGroupIdentifier } = request;
  if ((logGroupName === undefined) === (logGroupIdentifier === undefined)) {
    throw errors.invalid('Exactly one of logGroupName and logGroupIdentifier must be given');
  }
  return logGroupName ?? groupOfArn(logGroupIdentifier ?? '');
}

/** The group that an ARN names, with or without `:*`; a plain name is taken as it is. */
export function groupOfArn(text: string): string {
  return /^arn:[^:]+:logs:[^:]*:\d{12}:log-group:([^:]+)(:\*)?$/.exec(text)?.[1] ?? text;
}

/** @throws ServiceError when it is not an integer from 1 to `most` */
export function limitOf(limit: number | undefined, most: number): number {
  if (limit === undefined) return most;
  if (limit < 1) throw errors.constraint(limit, 'limit', 'Member must have value greater than or equal to 1');
  if (limit > most) throw errors.constraint(limit, 'limit', `Member must have value less than or equal to ${most}`);
  return limit;
}

/** A page of a list that is in order, and the token of the next one: the last name of this page. */
export function pageOf<Item>(
  items: readonly Item[],
  key: (item: Item) => string,
  limit: number,
  token: string | undefined,
): { page: Item[]; nextToken?: string } {
  let start = 0;
  if (token !== undefined) {
    const last = Buffer.from(token, 'base64url').toString();
    start = items.findIndex((item) => key(item) === last) + 1;
    if (start === 0) throw errors.invalidToken();
  }
  const page = items.slice(start, start + limit);
  const last = page.at(-1);
  if (!last || start + limit >= items.length) return { page };
  return { page, nextToken: Buffer.from(key(last)).toString('base64url') };
}

function checkName(name: string | undefined, member: string, pattern: RegExp): string {
  if (name === undefined || name.length < 1) {
    throw errors.constraint(name ?? '', member, 'Member must have length greater than or equal to 1');
  }
  if (name.length > MAX_NAME) {
    throw errors.constraint(name, member, `Member must have length less than or equal to ${MAX_NAME}`);
  }
  if (!pattern.test(name)) {
    throw errors.constraint(
      name,
      member,
      `Member must satisfy regular expression pattern: ${pattern.source.slice(1, -1)}`,
    );
  }
  return name;
}
