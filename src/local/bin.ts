#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { HELP, parseCommandLine, UsageError } from './command-line.js';

/** Exit codes: 1 the engine could not start or failed, 2 the command line is wrong. */
const FAILED = 1;
const USAGE = 2;

async function main(): Promise<void> {
  const command = parseCommandLine(process.argv.slice(2));
  if (command.do === 'help') process.stdout.write(HELP);
  else if (command.do === 'version') process.stdout.write(`${version()}\n`);
  else await run(command);
}

async function run(options: {
  port: number;
  region?: string;
  dataDir?: string;
  concurrentExecutions?: number;
}): Promise<void> {
  // Not needed to find out that the command line is wrong.
  const { startEngine } = await import('./index.js');
  const engine = await startEngine({ ...options, onError: (error) => console.error('scar-local:', error) });
  let signals = 0;
  const stop = (signal: NodeJS.Signals) => {
    // Whoever asks again does not want to wait any longer.
    if (signals++ > 0) process.exit(signal === 'SIGINT' ? 130 : 143);
    engine.close().catch(fail);
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  const { endpoint, region, accessKeyId, secretAccessKey } = engine;
  process.stdout.write(`${JSON.stringify({ endpoint, region, accessKeyId, secretAccessKey })}\n`);
}

/** Built, this file is dist/scar-local.js. */
function version(): string {
  const file = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(file) as { version: string }).version;
}

function fail(error: unknown): void {
  const message = error instanceof Error ? error.message : String(error);
  console.error(`scar-local: ${message}`);
  if (error instanceof UsageError) console.error('Try scar-local --help');
  // A rule that an option breaks is the command line's fault too.
  const usage = error instanceof UsageError || (error as { code?: string }).code === 'invalid-option';
  process.exit(usage ? USAGE : FAILED);
}

main().catch(fail);
