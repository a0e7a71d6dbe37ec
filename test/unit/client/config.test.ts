import { homedir, userInfo } from 'node:os';
import { describe, expect, it } from 'vitest';
import { resolveConfig, type ScarClientOptions } from '../../../src/client/config.js';
import { ValidationError } from '../../../src/errors.js';
import { ROLE } from './fixtures.js';

describe('resolveConfig', () => {
  it('has defaults', () => {
    expect(resolveConfig({}, {})).toMatchObject({
      region: undefined,
      endpoint: undefined,
      roleArn: undefined,
      imageBucket: undefined,
      imagePrefix: 'scar/',
      dockerConfig: `${homedir()}/.docker`,
      owner: userInfo().username,
      concurrency: 1_000,
      sockets: 1_024,
      clients: {},
    });
  });

  it('takes the option, then the environment', () => {
    const environment = {
      AWS_REGION: 'us-west-2',
      AWS_DEFAULT_REGION: 'us-west-1',
      AWS_ENDPOINT_URL: 'http://127.0.0.1:4566',
      SCAR_ROLE_ARN: ROLE,
      SCAR_IMAGE_BUCKET: 'from-environment',
      DOCKER_CONFIG: '/from/environment',
      SCAR_OWNER: 'somebody',
    };
    expect(resolveConfig({}, environment)).toMatchObject({
      region: 'us-west-2',
      endpoint: 'http://127.0.0.1:4566',
      roleArn: ROLE,
      imageBucket: 'from-environment',
      dockerConfig: '/from/environment',
      owner: 'somebody',
    });
    expect(resolveConfig({}, { AWS_DEFAULT_REGION: 'us-west-1' }).region).toBe('us-west-1');
    const options: ScarClientOptions = {
      region: 'eu-west-1',
      endpoint: 'https://example.com',
      roleArn: `${ROLE}-of-mine`,
      imageBucket: 'of-mine',
      dockerConfig: '/of/mine',
      registryMirrors: { 'docker.io': ['mirror.gcr.io', 'localhost:5000/hub'] },
      owner: 'me',
    };
    expect(resolveConfig(options, environment)).toMatchObject(options);
  });

  it('is frozen', () => {
    const config = resolveConfig({ clients: {} }, {});
    expect(Object.isFrozen(config)).toBe(true);
    expect(Object.isFrozen(config.clients)).toBe(true);
  });

  const bad: [string, Record<string, unknown>, RegExp][] = [
    ['an option that it has not', { profile: 'x' }, /^options must have only the options .*; received "profile"/],
    ['a Region with a space', { region: 'eu west' }, /^region must be the name of a Region/],
    ['an endpoint without a scheme', { endpoint: 'localhost:4566' }, /^endpoint must be an http or https URL/],
    ['a role that is a name', { roleArn: 'scar' }, /^roleArn must be the ARN of an IAM role/],
    [
      'a mirror as a URL',
      { registryMirrors: { 'docker.io': ['https://m.example'] } },
      /^registryMirrors must be like \{ 'docker.io'/,
    ],
    ['a mirror without a dot', { registryMirrors: { 'docker.io': ['mirror'] } }, /^registryMirrors must be like/],
    ['mirrors that are a number', { registryMirrors: 5 }, /^registryMirrors must be like .*; received 5/],
    ['mirrors of no registry', { registryMirrors: ['m.example'] }, /^registryMirrors must be like/],
    ['mirrors that are no list', { registryMirrors: { 'docker.io': 'm.example' } }, /^registryMirrors must be like/],
    ['a bucket as a URL', { imageBucket: 's3://b' }, /^imageBucket must be the name of a bucket/],
    ['a prefix without a slash', { imagePrefix: 'scar' }, /^imagePrefix must be empty, or end with \//],
    ['no owner', { owner: '' }, /^owner must be a string that is not empty/],
    ['no concurrency', { concurrency: 0 }, /^concurrency must be an integer of at least 1; received 0/],
    ['no sockets', { sockets: -1 }, /^sockets must be an integer of at least 1; received -1/],
    ['a logger that is none', { logger: 'console' }, /^logger must have the methods info and warn/],
    ['a client that is not used', { clients: { sqs: {} } }, /^clients must have only the options lambda, s3, logs/],
  ];
  it.each(bad)('refuses %s', (_, options, message) => {
    expect(() => resolveConfig(options as ScarClientOptions, {})).toThrow(ValidationError);
    expect(() => resolveConfig(options as ScarClientOptions, {})).toThrow(message);
  });
});
