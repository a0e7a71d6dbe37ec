/** Times that progress is told on the way. */
const STEPS = 100;

/**
 * Adds up bytes as they pass, and tells of them a hundred times at most, and at the end.
 *
 * @param total - bytes in all
 * @param tell - is told how many have passed, of how many
 */
export function countBytes(total: number, tell: (done: number, total: number) => void): (bytes: number) => void {
  let done = 0;
  let told = 0;
  return (bytes) => {
    done += bytes;
    if (done < total && done - told < total / STEPS) return;
    told = done;
    tell(done, total);
  };
}
