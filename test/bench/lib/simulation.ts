import { bestSchedule, lowerBoundMs } from '../../support/simulation/best-schedule.js';
import { type Panel, plot } from '../../support/simulation/plot.js';
import { type ScenarioSize, scenarios } from '../../support/simulation/scenarios.js';
import { simulate } from '../../support/simulation/simulate.js';

export { plot };

export interface Outcome {
  name: string;
  bestMs: number;
  lowerBoundMs: number;
  ms: number;
  throttles: number;
  coldStarts: number;
  failed: number;
  panel: Panel;
}

/** Simulates one scenario after the other. */
export async function* outcomes(size: ScenarioSize): AsyncGenerator<Outcome> {
  for (const { name, concurrency, facts } of scenarios(size)) {
    const best = bestSchedule(facts);
    const { busy, ...simulated } = await simulate(facts, concurrency, size.seed);
    const title = `${name}: ${(simulated.ms / best.ms).toFixed(3)} of the best`;
    const panel = { title, best: best.busy, simulated: busy };
    yield { name, bestMs: best.ms, lowerBoundMs: lowerBoundMs(facts), ...simulated, panel };
  }
}
