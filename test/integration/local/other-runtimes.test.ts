import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { EnvironmentBench, invoke } from '../../support/environments.js';

let bench: EnvironmentBench;
beforeEach(async () => {
  bench = await EnvironmentBench.open();
});
afterEach(() => bench[Symbol.asyncDispose]());

const isInstalled = (program: string): boolean => {
  try {
    execFileSync('sh', ['-c', `command -v ${program}`], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
};
const missing = (programs: readonly string[]): string | undefined => {
  const absent = programs.filter((program) => !isInstalled(program));
  return absent.length > 0 ? `needs ${absent.join(', ')}` : undefined;
};

/** A runtime of ten lines, as Lambda's documentation shows one. */
const SHELL_RUNTIME = `#!/bin/sh
api="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime"
[ "$_HANDLER" = broken ] && { curl -s -d '{"errorType":"Runtime.NoHandler","errorMessage":"none"}' "$api/init/error"; exit 1; }
while :; do
  head=$(mktemp)
  event=$(curl -sS -D "$head" "$api/invocation/next")
  id=$(sed -n 's/^Lambda-Runtime-Aws-Request-Id: *\\([^\\r]*\\).*/\\1/Ip' "$head" | tr -d '\\r')
  echo "working on $event"
  case $event in
    *bad*) curl -s -d '{"errorType":"Bad","errorMessage":"bad event"}' "$api/invocation/$id/error" ;;
    *exit*) exit 7 ;;
    *) curl -s -d "{\\"echo\\":$event,\\"pid\\":$$}" "$api/invocation/$id/response" ;;
  esac
done
`;

const withoutCurl = missing(['curl', 'sed']);
describe.skipIf(withoutCurl)(`a runtime of the function's own ${withoutCurl ?? ''}`, () => {
  const environment = (handler = 'any') =>
    bench.environment(
      { bootstrap: { text: SHELL_RUNTIME, mode: 0o755 } },
      { runtime: 'provided.al2023', handler, timeoutMs: 20_000 },
    );

  it('speaks the Runtime API by TCP, and is reused', async () => {
    const target = environment();
    const first = await invoke(target, { n: 1 });
    const second = await invoke(target, { n: 2 });
    expect(first.payload).toMatchObject({ echo: { n: 1 } });
    expect(second.payload).toEqual({ echo: { n: 2 }, pid: first.payload.pid });
    expect(second.tail).toContain('working on {"n":2}\n');
  });

  it('reports errors of the function, of its init, and its exit', async () => {
    const target = environment();
    expect(await invoke(target, 'bad')).toMatchObject({
      functionError: 'Unhandled',
      payload: { errorType: 'Bad', errorMessage: 'bad event' },
    });
    expect((await invoke(target, 'exit', 'one')).payload).toEqual({
      errorType: 'Runtime.ExitError',
      errorMessage: 'RequestId: one Error: Runtime exited with error: exit status 7',
    });
    expect((await invoke(environment('broken'))).payload).toMatchObject({ errorType: 'Runtime.NoHandler' });
  });

  it('that is missing or cannot be started is named', async () => {
    const settings = { runtime: 'provided.al2023' };
    const none = await invoke(bench.environment({ other: '' }, settings));
    expect(none.payload).toMatchObject({ errorType: 'Runtime.InvalidEntrypoint' });
    const closed = await invoke(bench.environment({ bootstrap: { text: SHELL_RUNTIME, mode: 0o644 } }, settings));
    expect(closed.payload.errorMessage).toContain('EACCES');
  });
});

/** Where this Node's headers are: without them, node-gyp would download them. */
const NODE_PREFIX = dirname(dirname(process.execPath));

/** AWS's own runtime client builds its native part when it is installed. */
const withoutTools =
  missing(['cmake', 'automake', 'libtoolize', 'g++', 'python3', 'npm']) ??
  (existsSync(join(NODE_PREFIX, 'include/node/node.h'))
    ? undefined
    : `needs Node's headers in ${NODE_PREFIX}/include/node`);
describe.skipIf(withoutTools)(`AWS's own runtime client ${withoutTools ?? ''}`, () => {
  const VERSION = '3.3.0';
  const home = join(resolve(import.meta.dirname, '../../..'), '.cache', `aws-lambda-ric-${VERSION}`);
  const client = join(home, 'node_modules/aws-lambda-ric/bin/index.mjs');

  beforeAll(() => {
    if (existsSync(client)) return;
    rmSync(home, { recursive: true, force: true });
    mkdirSync(home, { recursive: true });
    const flags = ['--no-audit', '--no-fund', '--no-save', '--prefix', home];
    const env = { ...process.env, npm_config_nodedir: NODE_PREFIX, npm_package_config_node_gyp_nodedir: NODE_PREFIX };
    execFileSync('npm', ['install', ...flags, `aws-lambda-ric@${VERSION}`], { stdio: 'pipe', env });
  });

  const environment = (handler: string) =>
    bench.environment(
      {
        bootstrap: { text: `#!/bin/sh\nexec "${process.execPath}" "${client}" "$_HANDLER"\n`, mode: 0o755 },
        'index.mjs': handler,
      },
      { runtime: 'provided.al2023', timeoutMs: 20_000 },
    );

  it('finds nothing missing in the server', async () => {
    const target = environment(`
      export const handler = async (event, context) => {
        if (event.fail) throw new RangeError(event.fail);
        console.log('event', event.n);
        return { n: event.n, big: 'x'.repeat(event.big ?? 0).length, id: context.awsRequestId, arn: context.invokedFunctionArn,
          left: context.getRemainingTimeInMillis(), name: context.functionName, trace: process.env._X_AMZN_TRACE_ID };
      }`);
    for (const n of [1, 2, 3]) {
      const { payload, requestId, tail } = await invoke(target, { n });
      expect(payload).toMatchObject({ n, id: requestId, arn: target.function.arn, name: 'probe' });
      expect(payload.left).toBeGreaterThan(1000);
      expect(payload.trace).toMatch(/^Root=1-/);
      expect(tail).toContain(`${requestId}\tINFO\tevent ${n}`);
    }
    expect(await invoke(target, { fail: 'too far' })).toMatchObject({
      functionError: 'Unhandled',
      payload: { errorType: 'RangeError', errorMessage: 'too far' },
    });
    expect((await invoke(target, { n: 4, pad: 'ü'.repeat(1_000_000) })).payload.n).toBe(4);
  });

  it('reports what it cannot load, and is told when its answer is too large', async () => {
    const broken = await invoke(environment('export const other = 1'));
    expect(broken.payload.errorType).toBe('Runtime.HandlerNotFound');
    const large = await invoke(environment(`export const handler = async () => 'x'.repeat(7_000_000)`));
    expect(large.payload.errorType).toBe('Function.ResponseSizeTooLarge');
  });
});
