/** What an image or a registry says, for a message: one line that is not long, without what a terminal would obey. */
export function excerpt(text: unknown, length = 80): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
  const line = String(text).replace(/[\x00-\x1f\x7f-\x9f]+/g, ' ');
  return line.length > length ? `${line.slice(0, length - 3)}...` : line;
}
