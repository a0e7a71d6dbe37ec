import { randomBytes } from 'node:crypto';
import { readScript } from '../../function-options.js';
import type { ChunkOptions } from '../chunk.js';
import type { MapOptions } from '../options.js';

/** The first line of a journal: all that another process needs to go on with the run. */
export interface JournalHead {
  scarMap: 1;
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
    scarMap: 1,
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
