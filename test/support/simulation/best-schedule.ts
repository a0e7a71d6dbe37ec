import { type LambdaFacts, LambdaModel, RATE_BUCKET_MS, rampedTo } from './lambda-model.js';
import { VirtualClock } from './virtual-clock.js';

/** Finer than anything that the model does by itself: at 1,000 new environments per 10 s one comes every 10 ms. */
const LOOK_MS = 1;

export interface Schedule {
  ms: number;
  /** Executions at once, second by second. */
  busy: number[];
}

/**
 * What an omniscient client does that gives Lambda the items in their order, each at the very moment at which Lambda would take
 * it, without a network between.
 */
export function bestSchedule(facts: LambdaFacts): Schedule {
  const clock = new VirtualClock();
  const model = new LambdaModel(facts, clock);
  const items = facts.durations.length;
  const schedule: Schedule = { ms: 0, busy: [] };
  let next = 0;
  const ended = () => {
    schedule.ms = clock.now();
    start();
  };
  const start = () => {
    while (next < items && model.start(next, ended)) next++;
  };
  // The ramp, the quota of requests and others' leaving make room that no item's end tells of.
  const look = () => {
    start();
    if (next < items) clock.at(clock.now() + LOOK_MS, look);
  };
  const sample = () => {
    schedule.busy.push(model.busy);
    if (next < items || model.busy > 0) clock.at(clock.now() + 1_000, sample);
  };
  look();
  sample();
  clock.drain();
  return schedule;
}

/**
 * What no schedule beats, in whatever order: the time in which the environments that there can be have the items' work in them, with nothing lost
 * to cold starts, and never less than the longest item: in ms.
 */
export function lowerBoundMs(facts: LambdaFacts): number {
  let work = facts.durations.reduce((sum, ms) => sum + ms);
  // The bucket of requests is full at first.
  let requests = facts.durations.length - Math.min(facts.quota, rampedTo(facts, 0));
  let now = 0;
  for (; work > 0 || requests > 0; now += LOOK_MS) {
    const environments = Math.min(facts.quota - facts.others(now), rampedTo(facts, now));
    work -= LOOK_MS * environments;
    requests -= (LOOK_MS * environments) / RATE_BUCKET_MS;
  }
  return Math.max(
    now,
    facts.durations.reduce((longest, ms) => Math.max(longest, ms)),
  );
}
