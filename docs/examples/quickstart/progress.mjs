import { Presets, SingleBar } from 'cli-progress';

/**
 * A bar on a terminal; where there is none, a line per tenth of the way.
 *
 * @param {string} label
 * @param {number} total
 */
export function progressBar(label, total) {
  if (!process.stdout.isTTY) return lines(label, total);
  const format = `${label.padEnd(10)} {bar} {value}/{total} | {duration_formatted} | {note}`;
  const bar = new SingleBar(
    { format, hideCursor: true, barsize: 30, fps: 10, clearOnComplete: false },
    Presets.shades_classic,
  );
  bar.start(total, 0, { note: '' });
  return {
    /** @param {number} done */
    update: (done) => bar.update(done),
    /** The last thing that happened. @param {string} text */
    note: (text) => bar.update({ note: text.slice(0, 50) }),
    stop: () => bar.stop(),
  };
}

/**
 * @param {string} label
 * @param {number} total
 */
function lines(label, total) {
  let printed = 0;
  return {
    /** @param {number} done */
    update(done) {
      const tenths = Math.floor((done * 10) / total);
      if (tenths > printed) console.log(`${label.padEnd(10)} ${done}/${total}`);
      printed = Math.max(printed, tenths);
    },
    note() {},
    stop() {},
  };
}
