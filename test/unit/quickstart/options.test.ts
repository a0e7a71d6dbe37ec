import { describe, expect, it } from 'vitest';
import { parseOptions } from '../../../docs/examples/quickstart/options.mjs';

const roleArn = 'arn:aws:iam::123456789012:role/scar';

describe('options of the quickstart', () => {
  it('runs on the engine without any', () => {
    expect(parseOptions([], {})).toMatchObject({ aws: false, verbose: false, image: undefined, region: undefined });
  });

  it('takes the image from SCAR_IMAGE, and --image before that', () => {
    expect(parseOptions([], { SCAR_IMAGE: 'debian:12' }).image).toBe('debian:12');
    expect(parseOptions(['--image', 'oci:x'], { SCAR_IMAGE: 'debian:12' }).image).toBe('oci:x');
    expect(parseOptions([], { SCAR_IMAGE: '' }).image).toBeUndefined();
  });

  it('lets the last of two win, so that a wrapper can fill in defaults', () => {
    expect(parseOptions(['--image=a', '--image=b'], {}).image).toBe('b');
  });

  it('takes the Region from the environment on AWS only', () => {
    const environment = { AWS_REGION: 'eu-west-1' };
    expect(parseOptions(['--aws', '--role-arn', roleArn], environment)).toMatchObject({ region: 'eu-west-1', roleArn });
    expect(parseOptions([], environment).region).toBeUndefined();
  });

  it.each([
    [['--aws', '--role-arn', roleArn], /--aws needs --region/],
    [['--aws', '--region', 'eu-west-1'], /--aws needs --role-arn/],
    [['--aws', '--region', 'eu-west-1', '--role-arn', 'scar'], /--role-arn must look like .*received "scar"/],
    [['--region', 'eu-west-1'], /--region goes with --aws/],
    [['--bucket', 'b'], /--bucket goes with --aws/],
    [['--concurrency', '0'], /--concurrency must be a whole number above 0; received "0"/],
    [['--concurrency', 'many'], /received "many"/],
    [['--pictures', '/nowhere/at/all'], /--pictures must be a folder that exists/],
    [['--colour'], /--colour/],
    [['stray'], /stray/],
  ])('explains %j', (args, message) => {
    expect(() => parseOptions(args, {})).toThrow(expect.objectContaining({ name: 'UsageError' }));
    expect(() => parseOptions(args, {})).toThrow(message);
  });
});
