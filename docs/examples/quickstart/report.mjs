/** A line of the report. @param {string} what @param {string} text */
function say(what, text) {
  console.log(`${what.padEnd(10)} ${text}`);
}

/** Tells what has just been done, and how long after the start. @param {string} what @param {string} text */
export function tell(what, text) {
  say(what, `${text} (after ${(performance.now() / 1_000).toFixed(1)} s)`);
}

/**
 * The run in numbers.
 *
 * @param {import('scar-client').MapSummary} summary
 * @param {object} outcome
 * @param {import('scar-client').PreheatResult} outcome.preheat
 * @param {boolean} outcome.aws
 * @param {string[]} outcome.problems - what is wrong, in sentences
 */
export function printSummary(summary, { preheat, aws, problems }) {
  const { listed, succeeded, failed, wallMs, concurrency, coldStarts, gbSeconds, memoryMiB, costUsd } = summary;
  const preheatGbSeconds = (preheat.billedMs / 1_000) * (memoryMiB / 1_024);
  console.log('');
  say(
    'pictures',
    `${succeeded} of ${listed} in ${(wallMs / 1_000).toFixed(1)} s, ${concurrency} at once; ${failed} failed`,
  );
  say('cold', `${preheat.coldStarts} cold starts for the preheat, ${coldStarts} for the pictures`);
  say(
    'compute',
    `${gbSeconds.toFixed(2)} GB-seconds at ${memoryMiB} MiB; ${preheatGbSeconds.toFixed(2)} for the preheat`,
  );
  say('cost', `${costUsd.total.toFixed(6)} USD${aws ? '' : ' is what the pictures would have cost on AWS Lambda'}`);
  for (const problem of problems.slice(0, 20)) say('wrong', problem);
  if (problems.length > 20) say('wrong', `and ${problems.length - 20} more`);
  const verdict =
    problems.length === 0 ? `all ${succeeded} pictures came out gray` : `${problems.length} things went wrong`;
  say('result', verdict);
}
