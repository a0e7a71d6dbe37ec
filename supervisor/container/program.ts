import { type FunctionSpec, faultOfFirstLine, firstLine, type InvocationOptions } from '../../src/contract/index.js';
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
 * @throws Failure `not-started` for a first line that no kernel accepts; the client refuses it too, but not every event is its
 */
export function scriptCommand(script: Buffer, path: string): [string, ...string[]] {
  const line = firstLine(script);
  const fault = faultOfFirstLine(line);
  if (fault) {
    const { has, remedy } = fault;
    throw new Failure(
      'not-started',
      `The script has ${has} (${JSON.stringify(line)}), so nothing can run it. ${remedy}`,
    );
  }
  if (script.subarray(0, ELF.length).equals(ELF)) return [path];
  // One argument at most, with its spaces, as Linux has it (execve(2), "Interpreter scripts").
  const [, interpreter, argument] = /^#![ \t]*([^ \t]+)[ \t]*(.*?)[ \t]*$/.exec(line) ?? [];
  if (!interpreter) return ['/bin/sh', path];
  return argument ? [interpreter, argument, path] : [interpreter, path];
}

const ELF = Buffer.from('\x7fELF', 'latin1');
