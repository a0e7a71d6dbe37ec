import { parseArgs } from 'node:util';

/** What `scar-local` was asked to do. */
export type Command =
  | {
      readonly do: 'serve';
      readonly port: number;
      readonly region?: string;
      readonly dataDir?: string;
      readonly concurrentExecutions?: number;
    }
  | { readonly do: 'help' }
  | { readonly do: 'version' };

const DEFAULT_PORT = 4566;

export const HELP = `scar-local serves Lambda, S3 and CloudWatch Logs on this machine, to the AWS SDKs and whoever else speaks to AWS.

Usage: scar-local [options]

  --port N          port on 127.0.0.1; 0 for any free one (default ${DEFAULT_PORT})
  --data DIR        where buckets and functions are kept (default: a temporary folder, removed at the end)
  --region NAME     the Region to play (default us-east-1)
  --concurrency N   invocations at a time (default: twice the processors, at least 4)
  --help            print this text
  --version         print the version

When it is ready it prints one line of JSON: {"endpoint", "region", "accessKeyId", "secretAccessKey"}. The credentials are
new every time, and nobody without them gets in. SIGINT and SIGTERM end it.
`;

/** A command line that makes no sense; its message says why. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** @throws UsageError */
export function parseCommandLine(args: readonly string[]): Command {
  const values = parse(args);
  if (values.help) return { do: 'help' };
  if (values.version) return { do: 'version' };
  return {
    do: 'serve',
    port: integer('port', values.port, DEFAULT_PORT),
    ...(values.region !== undefined && { region: values.region }),
    ...(values.data !== undefined && { dataDir: values.data }),
    ...(values.concurrency !== undefined && { concurrentExecutions: integer('concurrency', values.concurrency, 0) }),
  };
}

function parse(args: readonly string[]) {
  try {
    const { values } = parseArgs({
      args: [...args],
      strict: true,
      allowPositionals: false,
      options: {
        port: { type: 'string' },
        data: { type: 'string' },
        region: { type: 'string' },
        concurrency: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
        version: { type: 'boolean' },
      },
    });
    return values;
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function integer(name: string, text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new UsageError(`--${name} must be a number; received ${JSON.stringify(text)}`);
}
