import { randomBytes } from 'node:crypto';
import { ScarError } from '../../../errors.js';
import { readScript } from '../../function-options.js';
import type { ChunkOptions } from '../chunk.js';
import type { MapOptions } from '../options.js';
import { damaged, isObject, parseObject } from './line.js';

/** What journals of this version say in `scarMap`. */
const FORMAT = 1;

/** The first line of a journal: all that another process needs to go on with the run. */
export interface JournalHead {
  scarMap: typeof FORMAT;
  runId: string;
  startedAt: string;
  functionName: string;
  options: StoredOptions;
}

/** `MapOptions` as JSON: scripts are texts, dates too, and what only a process has is left out. */
export type StoredOptions = Omit<MapOptions, 'keys' | 'signal' | 'journal' | 'modifiedSince' | 'chunk'> & {
  modifiedSince?: string;
  chunk?: { bytes: number; delimiter?: string | { base64: string } };
  /** Whether the run's objects were given, and must be given again. */
  givenKeys?: boolean;
};

/** `20261128-174501-3f09a1b2c4`: sorts by time, and is nobody else's. */
export function newRunId(now = new Date()): string {
  const time = now
    .toISOString()
    .replace(/[-:]|\..*/g, '')
    .replace('T', '-');
  return `${time}-${randomBytes(5).toString('hex')}`;
}

export async function makeHead(runId: string, functionName: string, options: MapOptions): Promise<JournalHead> {
  const { keys, signal: _signal, journal: _journal, script, modifiedSince, chunk, ...rest } = options;
  return {
    scarMap: FORMAT,
    runId,
    startedAt: new Date().toISOString(),
    functionName,
    options: {
      ...rest,
      ...(script !== undefined && { script: { inline: (await readScript(script)).toString() } }),
      ...(modifiedSince && { modifiedSince: modifiedSince.toISOString() }),
      ...(chunk && { chunk: storedChunk(chunk) }),
      ...(keys && { givenKeys: true }),
    },
  };
}

/**
 * @param name - of the journal, for people
 * @throws ScarError `run-not-found` if it is none, or another version's; `journal` if it is damaged
 */
export function parseHead(line: string, name: string): JournalHead {
  const where = `Line 1 of ${name}`;
  const { scarMap, ...rest } = parseObject(line, where);
  if (typeof scarMap !== 'number') throw notAJournal(name, 'its first line is not that of a map');
  if (scarMap !== FORMAT) {
    const hint = 'go on with the version of scar-client that began the run';
    throw notAJournal(name, `it has format ${scarMap}, of another version, and this one reads ${FORMAT}: ${hint}`);
  }
  if (typeof rest.functionName !== 'string' || !isObject(rest.options)) {
    throw damaged(where, 'the head of a map, with its function and options');
  }
  return { scarMap, ...rest } as unknown as JournalHead;
}

export function notAJournal(name: string, why: string): ScarError {
  return new ScarError('run-not-found', `${name} must be the journal of a map; ${why}`, { context: { journal: name } });
}

/** What {@link makeHead} was given, but for what only a process has. */
export function storedOptions({ options }: JournalHead): MapOptions {
  const { modifiedSince, chunk, givenKeys: _given, ...rest } = options;
  return {
    ...rest,
    ...(chunk && { chunk: restoredChunk(chunk) }),
    ...(modifiedSince !== undefined && { modifiedSince: new Date(modifiedSince) }),
  };
}

/** JSON has no bytes. */
function storedChunk({ bytes, delimiter }: ChunkOptions): NonNullable<StoredOptions['chunk']> {
  if (delimiter === undefined) return { bytes };
  if (typeof delimiter === 'string') return { bytes, delimiter };
  return { bytes, delimiter: { base64: Buffer.from(delimiter).toString('base64') } };
}

function restoredChunk({ bytes, delimiter }: NonNullable<StoredOptions['chunk']>): ChunkOptions {
  if (delimiter === undefined) return { bytes };
  return { bytes, delimiter: typeof delimiter === 'string' ? delimiter : Buffer.from(delimiter.base64, 'base64') };
}
