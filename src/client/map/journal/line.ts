import { ScarError } from '../../../errors.js';
import type { ObjectInput } from '../inputs.js';
import type { StoredItem } from '../stored-item.js';

/** A subject's result. Of several with the same ID the last one counts. */
export interface ResultLine {
  id: string;
  item: StoredItem;
  /** Which execution's it is, from 1; absent if it is the first. */
  execution?: number;
}

/** In an asynchronous run: what is about to be sent. Its results are elsewhere. */
export interface PlannedLine {
  id: string;
  /** In the order in which they are sent, from 0. */
  number: number;
  bucket: string;
  object: ObjectInput;
}

/** In an asynchronous run: nothing more will be sent. */
export interface EndLine {
  sent: number;
  skipped: number;
}

export type JournalLine = ResultLine | PlannedLine | EndLine;

/**
 * @param where - the line, as an error names it
 * @throws ScarError `journal`
 */
export function parseLine(text: string, where: string): JournalLine {
  const line = parseObject(text, where);
  if ('item' in line && !(isText(line.id) && isItem(line.item))) throw damaged(where, 'a result with its ID');
  if ('number' in line && !isPlanned(line)) throw damaged(where, 'an object that is to be sent, with its ID');
  if ('sent' in line && !(isCount(line.sent) && isCount(line.skipped))) throw damaged(where, 'the end, in numbers');
  return line as unknown as JournalLine;
}

/** @throws ScarError `journal` */
export function parseObject(text: string, where: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw damaged(where, 'JSON', error);
  }
  if (!isObject(value)) throw damaged(where, 'a JSON object');
  return value;
}

export function damaged(where: string, rule: string, cause?: unknown): ScarError {
  return new ScarError('journal', `${where} must be ${rule}: the journal is damaged`, { cause });
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isItem(item: unknown): boolean {
  if (!isObject(item) || !isText(item.requestId)) return false;
  return item.status === 'succeeded' || (item.status === 'failed' && isObject(item.error));
}

function isPlanned({ id, number, bucket, object }: Record<string, unknown>): boolean {
  return isText(id) && isCount(number) && isText(bucket) && isObject(object) && isText(object.key);
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function isCount(value: unknown): boolean {
  return Number.isInteger(value) && Number(value) >= 0;
}
