import { existsSync, statSync } from 'node:fs';
import { parseArgs } from 'node:util';

export const help = `Maps ImageMagick over a bucket of photographs: each goes through a container of its own and comes out gray.

  npm run quickstart                             on the embedded engine: no account, no Docker
  npm run quickstart -- --aws --region eu-west-1 --role-arn arn:aws:iam::123456789012:role/scar
                                                 the same program on AWS Lambda

Options
  --image REFERENCE      an image with ImageMagick: registry, oci:DIR[:TAG] or docker-archive:FILE.tar
                         (environment: SCAR_IMAGE; default: Debian 12 with ImageMagick, built from packages)
  --pictures DIRECTORY   JPEG files to use (default: at least 100, cut from photographs that Debian ships)
  --concurrency N        invocations at once (default: 1,000 on AWS, the number of cores on the engine)
  --verbose              print every line of the function's log
  --aws                  run on AWS, with the credentials of your environment
  --region REGION        AWS Region, with --aws (environment: AWS_REGION)
  --role-arn ARN         execution role of the function, with --aws: it reads and writes the bucket and writes logs
  --bucket NAME          with --aws: a bucket of yours to use; without it one is made, and deleted in the end
  --help                 print this
`;

/** An option is wrong; the message says which, and what is expected. */
export class UsageError extends Error {
  name = 'UsageError';
}

/**
 * Reads the command line.
 *
 * @param {readonly string[]} args
 * @param {Readonly<Record<string, string | undefined>>} environment
 */
export function parseOptions(args, environment) {
  const values = parse(args);
  const { aws, help, verbose, bucket } = values;
  const image = values.image ?? (environment.SCAR_IMAGE || undefined);
  const region = values.region ?? (aws ? (environment.AWS_REGION ?? environment.AWS_DEFAULT_REGION) : undefined);
  const roleArn = values['role-arn'];
  const concurrency = values.concurrency === undefined ? undefined : Number(values.concurrency);
  if (concurrency !== undefined && !(Number.isInteger(concurrency) && concurrency > 0)) {
    throw new UsageError(`--concurrency must be a whole number above 0; received "${values.concurrency}"`);
  }
  if (values.pictures !== undefined && !(existsSync(values.pictures) && statSync(values.pictures).isDirectory())) {
    throw new UsageError(`--pictures must be a folder that exists; received "${values.pictures}"`);
  }
  if (aws) {
    if (!region) throw new UsageError('--aws needs --region REGION (or AWS_REGION), for example --region eu-west-1');
    if (!roleArn) {
      throw new UsageError(
        '--aws needs --role-arn ARN: the role of the function, for example arn:aws:iam::123456789012:role/scar',
      );
    }
    if (!/^arn:aws[\w-]*:iam::\d{12}:role\/.+$/.test(roleArn)) {
      throw new UsageError(`--role-arn must look like arn:aws:iam::123456789012:role/NAME; received "${roleArn}"`);
    }
  } else {
    const stray = Object.entries({ '--region': values.region, '--role-arn': roleArn, '--bucket': bucket }).find(
      ([, value]) => value !== undefined,
    );
    if (stray) throw new UsageError(`${stray[0]} goes with --aws; the embedded engine needs none`);
  }
  return { help, aws, verbose, image, pictures: values.pictures, concurrency, region, roleArn, bucket };
}

/** @param {readonly string[]} args */
function parse(args) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        help: { type: 'boolean', short: 'h', default: false },
        aws: { type: 'boolean', default: false },
        verbose: { type: 'boolean', short: 'v', default: false },
        image: { type: 'string' },
        pictures: { type: 'string' },
        concurrency: { type: 'string' },
        region: { type: 'string' },
        'role-arn': { type: 'string' },
        bucket: { type: 'string' },
      },
    }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}
