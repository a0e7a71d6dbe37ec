import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { MapOptions } from '../../src/index.js';
import { missingPackage } from '../support/built-package.js';
import { FaultyAws } from '../support/faults/aws.js';
import { readJournal } from '../support/faults/journal.js';
import { FaultSchedule } from '../support/faults/schedule.js';
import { type Kill, type Sitting, sit } from '../support/faults/sitting.js';
import { randomFrom } from '../support/simulation/random.js';
import { temporaryFolder } from '../support/temporary.js';

const OBJECTS = Number(process.env.SCAR_FAULT_OBJECTS || 1_000);
/** Of the faults and of the moments of kills. What fails is the same for a seed; what a client has done when it dies is the machine's to say. */
const SEED = Number(process.env.SCAR_FAULT_SEED || Math.floor(Math.random() * 2 ** 31));
/** With fewer objects and kills where an invocation has five: what is special then is which of them a failure befalls. */
const WAYS: [name: string, objects: number, kills: number, options: Partial<MapOptions>][] = [
  ['an object each', OBJECTS, 20, {}],
  ['batches', Math.ceil(OBJECTS / 2), 5, { batch: { items: 5 } }],
];
const CONCURRENCY = 64;
const FAILURES = { 'function-error': 1, 'out-of-memory': 1, timeout: 1, exit: 1 };
const MOST_EXECUTIONS = 1 + Object.keys(FAILURES).length;

/** What no run of this size is spared. */
const FAULTS = [
  'storm',
  'throttled',
  'refused',
  'reset',
  'reply-lost',
  'reply-failed',
  'slow',
  'exit',
  'death: exit',
  'death: out-of-memory',
];

/**
 * While results come, anywhere in what is left for so many kills; or at the very beginning.
 *
 * @param left - objects without a result
 */
function nextKill(random: () => number, left: number, kills: number): Kill {
  if (random() < 0.25) return { afterMs: 100 * random() };
  return { afterNew: Math.floor((2 * random() * left) / (kills + 1)), andMs: 20 * random() };
}

describe.skipIf(missingPackage)('a map on a bad day', () => {
  it.each(WAYS)(
    'gives each object one result and runs nothing twice for one key, however often its client is killed: %s',
    (_, ...way) => survive(...way),
    1_800_000,
  );
});

async function survive(objects: number, mostKills: number, options: Partial<MapOptions>): Promise<void> {
  console.log(`a map on a bad day: SCAR_FAULT_SEED=${SEED} SCAR_FAULT_OBJECTS=${OBJECTS}`);
  const keys = Array.from({ length: objects }, (_, n) => `in/${String(n).padStart(6, '0')}`);
  const began = performance.now();
  const random = randomFrom(SEED);
  await using folder = await temporaryFolder('scar-faults-');
  await using aws = await FaultyAws.start(folder.path, new FaultSchedule(SEED, objects));
  await aws.fill('data', keys);
  await aws.fill('answers');
  const filled = performance.now();
  aws.begin();

  const journal = join(folder.path, 'journal');
  const map: MapOptions = {
    bucket: 'data',
    prefix: 'in/',
    concurrency: CONCURRENCY,
    results: { bucket: 'answers' },
    retry: { attempts: 8, failures: FAILURES },
    journal,
    ...options,
  };
  const given = new Map<string, string>();
  const problems: string[] = [];
  let runId: string | undefined;
  let replayed = 0;
  let kills = 0;
  let last: Sitting;
  for (;;) {
    const resume = runId && { runId, options: { journal } };
    const kill = kills < mostKills ? nextKill(random, objects - replayed, mostKills - kills) : undefined;
    last = await sit(folder.path, { client: aws.client, functionName: 'work', map, resume }, given, kill);
    if (last.killed) kills++;
    runId ??= last.runId;
    const file = join(journal, `${runId}.jsonl`);
    const kept = readJournal(file);
    for (const [key, result] of last.given) {
      if (kept.results.get(key) !== result)
        problems.push(`${key} was given (${result}), and the journal has not got it`);
      if ((given.get(key) ?? result) !== result) problems.push(`${key} was ${given.get(key)} and is ${result}`);
      given.set(key, result);
    }
    expect(problems).toEqual([]);
    if (last.summary) break;
    expect(last.error, 'what ended a client that was not killed').toBeUndefined();
    replayed = kept.results.size;
    // It was killed before it could write its first line, and so before it could send anything.
    if (!kept.head) runId = undefined;
    // As a power cut leaves it: a line that came, and half of the next one.
    else if (kept.lines > 1 && random() < 0.3)
      appendFileSync(file, kept.lastLine.slice(0, kept.lastLine.length * random()));
  }

  const { witness } = aws;
  const { summary } = last;
  const seconds = (ms: number) => `${(ms / 1_000).toFixed(1)} s`;
  console.log(
    `filled in ${seconds(filled - began)}, mapped in ${seconds(performance.now() - filled)} after ${kills} kills at ${replayed} results; ` +
      `${witness.invocations} requests to Invoke; results: ${JSON.stringify(summary.reasons)}; faults: ${JSON.stringify(witness.faults)}`,
  );
  expect(kills, 'clients that were killed').toBe(mostKills);
  expect(last.given.map(([key]) => key).toSorted(), 'what the last client was given').toEqual(keys);
  expect(summary).toMatchObject({ complete: true, listed: objects, skipped: 0, replayed });
  expect(summary.succeeded + summary.failed).toBe(objects);

  const kept = readJournal(join(journal, `${runId}.jsonl`));
  expect(kept, 'the journal: a head, and a line for each object').toMatchObject({ torn: false, lines: 1 + objects });
  expect([...kept.results.keys()].toSorted()).toEqual(keys);

  const twice = [...witness.effects].filter(([, times]) => times > 1);
  expect(twice, 'keys whose container ran twice').toEqual([]);
  expect(witness.unasked, 'keys that came though the one before had not failed').toEqual([]);
  for (const [key, result] of last.given) {
    const used = witness.keys.get(key) ?? [];
    expect(used.length, `executions of ${key}`).toBeLessThanOrEqual(MOST_EXECUTIONS);
    if (result.startsWith('succeeded'))
      expect(
        used.some((one) => witness.effects.has(one)),
        key,
      ).toBe(true);
  }
  expect(witness.errors, "the server's own failures").toEqual([]);
  // Fewer invocations may have luck.
  if (objects >= 1_000 && !options.batch) expect(Object.keys(witness.faults)).toEqual(expect.arrayContaining(FAULTS));
}
