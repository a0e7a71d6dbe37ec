import { describe, expect, it } from 'vitest';
import { chooseProgram, scriptCommand } from '../../../../supervisor/container/program.js';

const image = { Entrypoint: ['/entry', '-e'], Cmd: ['cmd'] };
const functionScript = Buffer.from('#!/bin/sh\n');
const spec = { imageReference: 'img', args: ['function-arg'] };
const plain = { imageReference: 'img' };

describe('chooseProgram', () => {
  it('goes from the event to the image: script, args, script, args, ENTRYPOINT and CMD', () => {
    const event = { script: 'echo', args: ['event-arg'] };
    expect(chooseProgram(event, spec, functionScript, image)).toEqual({ script: Buffer.from('echo') });
    expect(chooseProgram({ args: event.args }, spec, functionScript, image)).toEqual({
      argv: ['/entry', '-e', 'event-arg'],
    });
    expect(chooseProgram({}, spec, functionScript, image)).toEqual({ script: functionScript });
    expect(chooseProgram({}, spec, undefined, image)).toEqual({ argv: ['/entry', '-e', 'function-arg'] });
    expect(chooseProgram({}, plain, undefined, image)).toEqual({ argv: ['/entry', '-e', 'cmd'] });
  });

  it('takes args as the program of an image without ENTRYPOINT', () => {
    expect(chooseProgram({ args: ['ls', '/'] }, plain, undefined, { Cmd: ['sh'] })).toEqual({ argv: ['ls', '/'] });
  });

  it('takes empty args as no arguments, not as CMD', () => {
    expect(chooseProgram({ args: [] }, plain, undefined, image)).toEqual({ argv: ['/entry', '-e'] });
  });

  it('says what to do when there is nothing to run', () => {
    expect(() => chooseProgram({}, plain, undefined, { Entrypoint: null, Cmd: null })).toThrow(
      /img has neither ENTRYPOINT nor CMD/,
    );
  });
});

describe('scriptCommand', () => {
  it.each([
    ['#!/usr/bin/env python3\nprint()', ['/usr/bin/env', 'python3', '/s']],
    ['#! /bin/bash -e -x \necho', ['/bin/bash', '-e -x', '/s']],
    ['#!/bin/sh', ['/bin/sh', '/s']],
    ['echo no first line', ['/bin/sh', '/s']],
    ['', ['/bin/sh', '/s']],
    ['\x7fELF\x02\x01', ['/s']],
  ])('%j is run by %j', (script, command) => {
    expect(scriptCommand(Buffer.from(script, 'latin1'), '/s')).toEqual(command);
  });

  it.each([
    ['#!/bin/bash\r\necho', 'CRLF'],
    ['\ufeff#!/bin/sh\n', 'byte order mark'],
    ['#!\necho', 'no interpreter'],
    ['#!  \n', 'no interpreter'],
  ])('%j is refused, saying %s', (script, hint) => {
    expect(() => scriptCommand(Buffer.from(script), '/s')).toThrow(hint);
  });
});
