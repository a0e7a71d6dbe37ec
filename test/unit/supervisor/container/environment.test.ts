import { describe, expect, it } from 'vitest';
import {
  type ContractValues,
  containerEnvironment,
  type VariableSources,
} from '../../../../supervisor/container/environment.js';

const contract: ContractValues = {
  requestId: 'r1',
  inputFile: '/tmp/r1/input/a.png',
  inputDirectory: '/tmp/r1/input',
  outputDirectory: '/tmp/r1/output',
  objectKey: 'input/a.png',
  chunkIndex: '0',
  chunkCount: '2',
  chunkStart: '0',
  chunkEnd: '17',
  eventTime: '2026-01-02T03:04:05.678Z',
  event: '{}',
  instanceIp: '10.0.0.1',
  extraPayload: undefined,
};

function environment(sources: Partial<VariableSources>): Record<string, string> {
  const none = { image: {}, home: '/root', hostname: 'h', function: {}, user: {}, event: undefined, contract };
  return containerEnvironment({ ...none, ...sources });
}

describe('containerEnvironment', () => {
  it('sets the contract under all its names, and nothing that has no value', () => {
    expect(environment({})).toEqual({
      PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      HOME: '/root',
      HOSTNAME: 'h',
      REQUEST_ID: 'r1',
      SCAR_INPUT_FILE: '/tmp/r1/input/a.png',
      INPUT_FILE_PATH: '/tmp/r1/input/a.png',
      TMP_INPUT_DIR: '/tmp/r1/input',
      SCAR_OUTPUT_DIR: '/tmp/r1/output',
      TMP_OUTPUT_DIR: '/tmp/r1/output',
      STORAGE_OBJECT_KEY: 'input/a.png',
      SCAR_CHUNK_INDEX: '0',
      SCAR_CHUNK_COUNT: '2',
      SCAR_CHUNK_START: '0',
      SCAR_CHUNK_END: '17',
      EVENT_TIME: '2026-01-02T03:04:05.678Z',
      EVENT: '{}',
      INSTANCE_IP: '10.0.0.1',
    });
  });

  it('lets later sources win: image, function, user, event, contract', () => {
    const result = environment({
      image: { Env: ['A=image', 'B=image', 'C=image', 'HOME=/image', 'EMPTY', 'X=a=b', 'REQUEST_ID=image'] },
      function: { AWS_REGION: 'eu-west-1' },
      user: { B: 'user', C: 'user', REQUEST_ID: 'user' },
      event: { C: 'event', REQUEST_ID: 'event' },
    });
    expect(result).toMatchObject({
      A: 'image',
      B: 'user',
      C: 'event',
      HOME: '/image',
      EMPTY: '',
      X: 'a=b',
      AWS_REGION: 'eu-west-1',
      REQUEST_ID: 'r1',
    });
  });

  it("does not mix the function's session token with the user's own credentials", () => {
    const functionVariables = {
      AWS_ACCESS_KEY_ID: 'f',
      AWS_SECRET_ACCESS_KEY: 'f',
      AWS_SESSION_TOKEN: 'f',
      AWS_REGION: 'r',
    };
    expect(environment({ function: functionVariables })).toMatchObject(functionVariables);
    const own = environment({
      function: functionVariables,
      user: { AWS_ACCESS_KEY_ID: 'u', AWS_SECRET_ACCESS_KEY: 'u' },
    });
    expect(own).toMatchObject({ AWS_ACCESS_KEY_ID: 'u', AWS_SECRET_ACCESS_KEY: 'u', AWS_REGION: 'r' });
    expect(own).not.toHaveProperty('AWS_SESSION_TOKEN');
  });

  it.each([
    [{ BIG: 'x'.repeat(131_072) }, 'BIG must have at most 131071 bytes'],
    [{ 'A=B': '' }, '"A=B"'],
    [{ A: 'x\0y' }, 'NUL'],
    [{ '': 'x' }, '""'],
  ])('refuses what no program can be started with (%#)', (event: Record<string, string>, hint) => {
    expect(() => environment({ event })).toThrow(hint);
  });
});
