/** The line that tells what runs a script, without its line feed. */
export function firstLine(script: Buffer): string {
  const end = script.indexOf('\n');
  return script.toString('utf8', 0, end === -1 ? undefined : end);
}

/** What editors leave in a first line and no kernel accepts, as a phrase, and what helps. */
export function faultOfFirstLine(line: string): { has: string; remedy: string } | undefined {
  if (line.startsWith('\uFEFF#!')) {
    return { has: 'a byte order mark before #!', remedy: 'Save it as UTF-8 without one' };
  }
  if (!line.startsWith('#!')) return undefined;
  if (line.endsWith('\r')) return { has: 'a first line that ends in CRLF', remedy: 'Save it with LF line ends' };
  if (/^#![ \t]*$/.test(line)) {
    return { has: 'a first line with #! and no interpreter', remedy: 'Name one, e.g. #!/bin/sh' };
  }
  return undefined;
}
