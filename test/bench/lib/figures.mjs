/** The value below which a share of the measurements lies, by nearest rank. @param {number[]} values @param {number} share */
export function quantile(values, share) {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

/** @param {number[]} values */
export const median = (values) => quantile(values, 0.5);

/** Rounds for a report: three digits that count. @param {number} value */
export const figure = (value) => Number(value.toPrecision(3));

/**
 * Prints rows in columns, the first as the heading; numbers to the right.
 *
 * @param {(string | number)[][]} rows
 */
export function printTable(rows) {
  const cells = rows.map((row) => row.map(String));
  const widths = cells[0]?.map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0))) ?? [];
  for (const [index, row] of cells.entries()) {
    const line = row.map((text, column) => {
      const width = widths[column] ?? 0;
      return index > 0 && typeof rows[index]?.[column] === 'number' ? text.padStart(width) : text.padEnd(width);
    });
    console.log(line.join('  ').trimEnd());
  }
}
