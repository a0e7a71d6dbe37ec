import { existsSync, readFileSync } from 'node:fs';

/** A journal as a process that died has left it. */
export interface LeftJournal {
  head: boolean;
  /** Whole ones, the head among them. */
  lines: number;
  lastLine: string;
  /** Whether half a line is at its end. */
  torn: boolean;
  /** By key, as `map-with-journal.mjs` prints them. */
  results: Map<string, string>;
}

/** @throws if a result is in it twice */
export function readJournal(file: string): LeftJournal {
  const text = existsSync(file) ? readFileSync(file, 'utf8') : '';
  const whole = text.lastIndexOf('\n') + 1;
  const lines = text.slice(0, whole).split('\n').slice(0, -1);
  const results = new Map<string, string>();
  for (const line of lines.slice(1)) {
    const { id, item } = JSON.parse(line) as { id: string; item: Record<string, string> };
    if (results.has(id)) throw new Error(`The journal has two results of ${id}`);
    results.set(id, [item.status, item.reason, item.requestId].join(' '));
  }
  return {
    head: lines.length > 0,
    lines: lines.length,
    lastLine: lines.at(-1) ?? '',
    torn: whole < text.length,
    results,
  };
}
