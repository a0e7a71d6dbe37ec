/** One picture of the plot: executions at once, second by second. */
export interface Panel {
  title: string;
  best: number[];
  simulated: number[];
}

const COLUMNS = 2;
const WIDTH = 440;
const HEIGHT = 170;
const LEGEND = 34;
const MARGIN = { left: 58, right: 14, top: 30, bottom: 32 };
/** More points than this make a picture larger and not clearer. */
const POINTS = 220;
const BEST = '#c9d6e3';
const SIMULATED = '#b3421f';

/** An SVG with a picture for each panel: what the best schedule runs at once as an area, what was simulated as a line. */
export function plot(panels: Panel[]): string {
  const rows = Math.ceil(panels.length / COLUMNS);
  const pictures = panels.map((panel, index) => {
    const x = (index % COLUMNS) * WIDTH;
    const y = LEGEND + Math.floor(index / COLUMNS) * HEIGHT;
    return `<g transform="translate(${x} ${y})">${picture(panel)}</g>`;
  });
  const size = `width="${COLUMNS * WIDTH}" height="${LEGEND + rows * HEIGHT}"`;
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" ${size} font-family="sans-serif" font-size="11" fill="#333">`,
    `<title>Executions at once, second by second</title>`,
    `<rect ${size} fill="#fff"/>`,
    `<text x="${MARGIN.left}" y="22">Executions at once:</text>`,
    `<rect x="${MARGIN.left + 200}" y="13" width="22" height="10" fill="${BEST}"/>`,
    `<text x="${MARGIN.left + 228}" y="22">the best schedule</text>`,
    `<path d="M${MARGIN.left + 340} 18h22" stroke="${SIMULATED}" stroke-width="1.5"/>`,
    `<text x="${MARGIN.left + 368}" y="22">the client</text>`,
    ...pictures,
    '</svg>',
  ].join('\n')}\n`;
}

function picture({ title, best, simulated }: Panel): string {
  const seconds = Math.max(best.length, simulated.length) - 1;
  const most = Math.max(...best, ...simulated);
  const [width, height] = [WIDTH - MARGIN.left - MARGIN.right, HEIGHT - MARGIN.top - MARGIN.bottom];
  const x = (second: number) => (MARGIN.left + (second / seconds) * width).toFixed(1);
  const y = (busy: number) => (MARGIN.top + height - (busy / most) * height).toFixed(1);
  const points = (busy: number[]) => {
    const every = Math.ceil(busy.length / POINTS);
    return busy.flatMap((value, second) => (second % every === 0 ? [`${x(second)},${y(value)}`] : [])).join(' ');
  };
  const [left, right, bottom] = [x(0), x(seconds), y(0)];
  return [
    `<text x="${left}" y="18" font-weight="bold">${title}</text>`,
    `<polygon points="${left},${bottom} ${points(best)} ${x(best.length - 1)},${bottom}" fill="${BEST}"/>`,
    `<polyline points="${points(simulated)}" fill="none" stroke="${SIMULATED}" stroke-width="1.2"/>`,
    `<path d="M${left} ${y(most)}V${bottom}H${right}" fill="none" stroke="#777"/>`,
    `<text x="${MARGIN.left - 6}" y="${y(most)}" text-anchor="end" dominant-baseline="hanging">${most.toLocaleString('en')}</text>`,
    `<text x="${MARGIN.left - 6}" y="${bottom}" text-anchor="end">0</text>`,
    `<text x="${right}" y="${HEIGHT - 16}" text-anchor="end">${seconds} s</text>`,
  ].join('');
}
