import type { LambdaFacts } from './lambda-model.js';
import { normal, randomFrom } from './random.js';

export interface Scenario {
  name: string;
  concurrency: number;
  facts: LambdaFacts;
}

export interface ScenarioSize {
  items: number;
  /** Also the account's quota. */
  concurrency: number;
  seed: number;
}

/** What a map may meet, at the size that is asked for. */
export function scenarios({ items, concurrency, seed }: ScenarioSize): Scenario[] {
  const scenario = (
    name: string,
    durationMs: (random: () => number) => number,
    { refill = 'continuous' as 'continuous' | 'step', warm = 0, others = noOthers } = {},
  ): Scenario => {
    const random = randomFrom(seed);
    const durations = Float64Array.from({ length: items }, () => durationMs(random));
    const coldStartMs = (environment: number) => 500 + 1_000 * randomFrom(seed + environment)();
    const ramp = { burst: 1_000, refill };
    return { name, concurrency, facts: { quota: concurrency, ramp, warm, others, durations, coldStartMs } };
  };
  const twoSeconds = () => 2_000;
  const heavy = (random: () => number) => Math.min(60_000, 1_500 * Math.exp(1.2 * normal(random)));
  const short = (random: () => number) => 40 + 20 * random();
  return [
    scenario('2 s each', twoSeconds),
    scenario('2 s each, ramp in steps', twoSeconds, { refill: 'step' }),
    scenario('heavy tail', heavy),
    scenario('heavy tail, ramp in steps', heavy, { refill: 'step' }),
    scenario('50 ms each', short),
    scenario('50 ms each, ramp in steps', short, { refill: 'step' }),
    scenario('2 s each, all warm', twoSeconds, { warm: concurrency }),
    scenario('50 ms each, all warm', short, { warm: concurrency }),
    scenario('2 s each, others come and go', twoSeconds, { others: comeAndGo(concurrency) }),
    scenario('heavy tail, others all the time', heavy, { others: allTheTime(concurrency, seed) }),
  ];
}

/** A third of the account is taken when the ramp would be over, for half as long as it took. */
function comeAndGo(quota: number): (now: number) => number {
  const from = (quota - 1_000) * 10;
  return (now) => (now >= from && now < 1.5 * from ? Math.round(quota / 3) : 0);
}

/** A tenth to three tenths of the account, another number every second. */
function allTheTime(quota: number, seed: number): (now: number) => number {
  const random = randomFrom(seed + 1);
  const shares = Array.from({ length: 3_600 }, () => 0.1 + 0.2 * random());
  return (now) => Math.round(quota * (shares[Math.floor(now / 1_000) % shares.length] as number));
}

function noOthers(_now: number): number {
  return 0;
}
