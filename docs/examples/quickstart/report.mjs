/** A line of what happens. @param {string} what @param {string} text */
export function say(what, text) {
  console.log(`${what.padEnd(10)} ${text}`);
}

/**
 * The run in numbers.
 *
 * @param {import('scar-client').MapSummary} summary
 * @param {{ aws: boolean, problems: string[] }} outcome - `problems`: what is wrong, in sentences
 */
export function printSummary(summary, { aws, problems }) {
  const { listed, succeeded, failed, wallMs, concurrency, coldStarts, gbSeconds, memoryMiB, costUsd } = summary;
  console.log('');
  say(
    'pictures',
    `${listed} in, ${succeeded} out, ${failed} failed; ${(wallMs / 1_000).toFixed(1)} s, ${concurrency} at once`,
  );
  say('cold', `${coldStarts} of ${listed} invocations had to start an environment first`);
  say('compute', `${gbSeconds.toFixed(2)} GB-seconds, with ${memoryMiB} MiB each`);
  say(
    'cost',
    `${costUsd.total.toFixed(6)} USD ${aws ? 'for' : 'is what'} these invocations${aws ? '' : ' would have cost on AWS Lambda'}`,
  );
  for (const problem of problems.slice(0, 20)) say('wrong', problem);
  if (problems.length > 20) say('wrong', `and ${problems.length - 20} more`);
  const verdict =
    problems.length === 0 ? `all ${succeeded} pictures came out gray` : `${problems.length} things went wrong`;
  say('result', verdict);
}
