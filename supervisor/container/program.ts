import type { FunctionSpec, InvocationOptions } from '../../src/contract/index.js';
import type { ImageConfig } from '../../src/oci/image-source.js';
import { Failure } from '../failure.js';

/** What runs in the container: a command, or a script that the container has to be given first. */
export type Program = { argv: [string, ...string[]] } | { script: Buffer };

/**
 * Chooses what runs: the event's script, its args, the function's script, its args, or the image's ENTRYPOINT and CMD, in
 * this order. Args follow ENTRYPOINT in CMD's place, as in `docker run`; a script replaces ENTRYPOINT too.
 */
export function chooseProgram(
  options: Pick<InvocationOptions, 'script' | 'args'>,
  spec: Pick<FunctionSpec, 'args' | 'imageReference'>,
  functionScript: Buffer | undefined,
  image: NonNullable<ImageConfig['config']>,
): Program {
  if (options.script !== undefined) return { script: Buffer.from(options.script) };
  if (options.args === undefined && functionScript) return { script: functionScript };
  const entrypoint = image.Entrypoint ?? [];
  const [program, ...args] = [...entrypoint, ...(options.args ?? spec.args ?? image.Cmd ?? [])];
  if (program === undefined) {
    throw new Failure(
      'not-started',
      `There is nothing to run: ${spec.imageReference} has neither ENTRYPOINT nor CMD, and neither the function nor the ` +
        'event has a script or args. Give one of them',
    );
  }
  return { argv: [program, ...args] };
}

/**
 * How a script at `path` of the container is run: by the interpreter that its first line names, else by /bin/sh; a binary
 * by itself.
 *
 * @throws Failure `not-started` for what editors leave in a first line and no kernel accepts: CRLF, a byte order mark
 */
export function scriptCommand(script: Buffer, path: string): [string, ...string[]] {
  const afterMark = script.subarray(0, 3).equals(BYTE_ORDER_MARK) ? script.subarray(3) : undefined;
  if (afterMark?.subarray(0, 2).equals(SHEBANG)) {
    throw unreadable('a byte order mark before #!', 'Save it as UTF-8 without one');
  }
  if (script.subarray(0, ELF.length).equals(ELF)) return [path];
  if (!script.subarray(0, 2).equals(SHEBANG)) return ['/bin/sh', path];
  const end = script.indexOf(0x0a);
  const line = script.subarray(2, end === -1 ? undefined : end).toString('utf8');
  if (line.endsWith('\r')) {
    throw unreadable(`a first line that ends in CRLF (${JSON.stringify(`#!${line}`)})`, 'Save it with LF line ends');
  }
  // One argument at most, with its spaces, as Linux has it (execve(2), "Interpreter scripts").
  const [, interpreter, argument] = /^[ \t]*([^ \t]*)[ \t]*(.*?)[ \t]*$/.exec(line) ?? [];
  if (!interpreter) throw unreadable('a first line with #! and no interpreter', 'Name one, e.g. #!/bin/sh');
  return argument ? [interpreter, argument, path] : [interpreter, path];
}

const SHEBANG = Buffer.from('#!');
const ELF = Buffer.from('\x7fELF', 'latin1');
const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf]);

function unreadable(what: string, remedy: string): Failure {
  return new Failure('not-started', `The script has ${what}, so nothing can run it. ${remedy}`);
}
