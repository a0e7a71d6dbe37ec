import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { folderAtWork, readProcessTable } from '../../../src/local/environment/process-table.js';
import { EnvironmentBench, invoke } from '../../support/environments.js';

let bench: EnvironmentBench;
beforeEach(async () => {
  bench = await EnvironmentBench.open();
});
afterEach(() => bench[Symbol.asyncDispose]());

/** Processes that have anything to do with this bench's environments. */
const remaining = () =>
  readProcessTable().filter((row) => !row.zombie && folderAtWork(row, bench.host.runFolder) !== undefined);

describe('an invocation', () => {
  it('hands event and context to the handler and returns its result', async () => {
    const environment = bench.environment({
      'index.mjs': `export const handler = async (event, context) => ({
        event, id: context.awsRequestId, arn: context.invokedFunctionArn, remaining: context.getRemainingTimeInMillis() })`,
    });
    const { payload, functionError } = await invoke(environment, { n: 1 }, 'an-id');
    expect(functionError).toBeUndefined();
    expect(payload).toMatchObject({
      event: { n: 1 },
      id: 'an-id',
      arn: 'arn:aws:lambda:us-east-1:000000000000:function:probe',
    });
    expect(payload.remaining).toBeGreaterThan(5000);
    expect(payload.remaining).toBeLessThanOrEqual(10_000);
  });

  it('reuses the process, and writes START, END and REPORT around the output', async () => {
    const environment = bench.environment({
      'index.mjs': `let n = 0; export const handler = async () => { process.stdout.write('call\\n'); return [++n, process.pid]; }`,
    });
    const first = await invoke(environment, {}, 'one');
    const second = await invoke(environment, {}, 'two');
    expect([first.payload[0], second.payload[0]]).toEqual([1, 2]);
    expect(second.payload[1]).toBe(first.payload[1]);
    expect(bench.logs).toEqual([
      'START RequestId: one Version: $LATEST\n',
      'call\n',
      'END RequestId: one\n',
      expect.stringMatching(
        /^REPORT RequestId: one\tDuration: [\d.]+ ms\tBilled Duration: \d+ ms\tMemory Size: 512 MB\tMax Memory Used: \d+ MB\tInit Duration: [\d.]+ ms\t\n$/,
      ),
      'START RequestId: two Version: $LATEST\n',
      'call\n',
      'END RequestId: two\n',
      expect.stringMatching(
        /^REPORT RequestId: two\tDuration: [\d.]+ ms\tBilled Duration: \d+ ms\tMemory Size: 512 MB\tMax Memory Used: \d+ MB\t\n$/,
      ),
    ]);
    expect(second.tail).toBe(bench.logs.slice(4).join(''));
  });

  it('keeps all output of an invocation before its END, and the last 4 KB as its tail', async () => {
    const environment = bench.environment({
      'index.mjs': `export const handler = async () => { for (let i = 0; i < 20000; i++) process.stdout.write('line ' + i + '\\n'); process.stderr.write('no feed') }`,
    });
    const { tail } = await invoke(environment, {}, 'one');
    const lines = bench.logs.filter((line) => line.startsWith('line '));
    expect(lines).toEqual(Array.from({ length: 20_000 }, (_, i) => `line ${i}\n`));
    expect(bench.logs.indexOf('no feed')).toBe(bench.logs.indexOf('END RequestId: one\n') - 1);
    expect(Buffer.byteLength(tail)).toBe(4096);
    expect(tail).toMatch(/Max Memory Used: \d+ MB\tInit Duration: [\d.]+ ms\t\n$/);
  });

  it('sees what Lambda sets and nothing of the host', async () => {
    process.env.HOST_SECRET = 'of the host';
    const environment = bench.environment(
      { 'index.mjs': `const early = { ...process.env }; export const handler = async () => early` },
      { variables: { LEVEL: '3' } },
    );
    const { payload } = await invoke(environment);
    delete process.env.HOST_SECRET;
    expect(payload).toEqual({
      LEVEL: '3',
      TZ: ':UTC',
      LANG: 'en_US.UTF-8',
      PATH: expect.stringContaining('/usr/bin:/bin'),
      TMPDIR: expect.stringContaining(bench.host.runFolder),
      LAMBDA_LOCAL_MEMORY_EVENTS: expect.stringContaining(bench.host.runFolder),
      AWS_REGION: 'us-east-1',
      AWS_DEFAULT_REGION: 'us-east-1',
      AWS_ENDPOINT_URL: 'http://127.0.0.1:9',
      AWS_ACCESS_KEY_ID: 'ASIATEST',
      AWS_SECRET_ACCESS_KEY: 'secret',
      AWS_SESSION_TOKEN: 'token',
      AWS_LAMBDA_FUNCTION_NAME: 'probe',
      AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
      AWS_LAMBDA_FUNCTION_MEMORY_SIZE: '512',
      AWS_LAMBDA_LOG_GROUP_NAME: '/aws/lambda/probe',
      AWS_LAMBDA_LOG_STREAM_NAME: expect.stringMatching(/^\d{4}\/\d\d\/\d\d\/\[\$LATEST\][0-9a-f]{32}$/),
      AWS_LAMBDA_INITIALIZATION_TYPE: 'on-demand',
      AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs22.x',
      LAMBDA_TASK_ROOT: expect.any(String),
      LAMBDA_RUNTIME_DIR: expect.any(String),
      _HANDLER: 'index.handler',
    });
  });

  it('keeps its temporary folder from one invocation to the next, and shares it with nobody', async () => {
    const files = {
      'index.mjs': `import { existsSync, writeFileSync } from 'node:fs'; import { tmpdir } from 'node:os';
        export const handler = async () => { const f = tmpdir() + '/mark'; const was = existsSync(f); writeFileSync(f, ''); return was }`,
    };
    const one = bench.environment(files);
    const other = bench.environment(files);
    expect((await invoke(one)).payload).toBe(false);
    expect((await invoke(one)).payload).toBe(true);
    expect((await invoke(other)).payload).toBe(false);
    expect(readdirSync(bench.host.runFolder).filter((name) => name !== 'owner')).toHaveLength(2);
    await one.end();
    expect(readdirSync(bench.host.runFolder).filter((name) => name !== 'owner')).toHaveLength(1);
  });

  it('stands still between invocations, with all that it started', async () => {
    const environment = bench.environment({
      'index.mjs': `import { spawn } from 'node:child_process'; import { appendFileSync } from 'node:fs'; import { tmpdir } from 'node:os';
        let ticks = 0; const file = tmpdir() + '/ticks'; setInterval(() => { appendFileSync(file, '.'); ticks++ }, 1);
        const child = spawn('sleep', ['1000']);
        export const handler = async () => { const before = ticks; while (ticks < before + 10) await new Promise((r) => setTimeout(r, 1));
          return { before, file, pids: [process.pid, child.pid] } }`,
    });
    const { file, pids } = (await invoke(environment)).payload;
    const state = (pid: number) => readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.[0];
    await vi.waitFor(() => expect(pids.map(state)).toEqual(['T', 'T']));
    const { size } = statSync(file);
    await sleep(300);
    expect(statSync(file).size).toBe(size);
    expect((await invoke(environment)).payload.before).toBeGreaterThanOrEqual(size);
    expect(statSync(file).size).toBeGreaterThanOrEqual(size + 10);
  });

  it('stands still with those that left its process group, too, and goes on with them', async () => {
    const environment = bench.environment({
      'index.mjs': `import { spawn } from 'node:child_process'; import { existsSync, statSync } from 'node:fs'; import { tmpdir } from 'node:os';
        const file = tmpdir() + '/ticks';
        const size = () => (existsSync(file) ? statSync(file).size : 0);
        spawn('sh', ['-c', 'setsid sh -c "while :; do echo tick >> ' + file + '; done" & wait'], { detached: true });
        export const handler = async () => { const before = size(); while (size() < before + 50) await new Promise((r) => setTimeout(r, 1));
          return { file, before } }`,
    });
    const { file } = (await invoke(environment)).payload;
    const states = () => remaining().map(({ pid }) => readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.[0]);
    await vi.waitFor(() => expect(new Set(states())).toEqual(new Set('T')));
    expect(states().length, 'runtime, child and grandchild').toBeGreaterThanOrEqual(3);
    const { size } = statSync(file);
    await sleep(300);
    expect(statSync(file).size).toBe(size);
    expect((await invoke(environment)).payload.before).toBeGreaterThanOrEqual(size);
  });
});

describe('a function that fails', () => {
  it('answers what the handler threw, and lives on', async () => {
    const environment = bench.environment({
      'index.mjs': `export const handler = async (e) => { if (e.bad) throw new TypeError('bad input'); return process.pid }`,
    });
    const before = await invoke(environment);
    const failed = await invoke(environment, { bad: true });
    expect(failed.functionError).toBe('Unhandled');
    expect(failed.payload).toMatchObject({ errorType: 'TypeError', errorMessage: 'bad input' });
    expect(failed.payload.trace[0]).toBe('TypeError: bad input');
    expect(failed.tail).toMatch(/\tERROR\tInvoke Error {0,}\t?.*bad input/);
    expect((await invoke(environment)).payload).toBe(before.payload);
  });

  it('is killed at its timeout, with everything that it started', async () => {
    const environment = bench.environment(
      {
        'index.mjs': `import { spawn } from 'node:child_process';
          export const handler = async () => {
            spawn('sleep', ['1000']); spawn('sleep', ['1000'], { detached: true });
            spawn('sh', ['-c', 'setsid sleep 1000 &'], { detached: true });
            await new Promise((resolve) => setTimeout(resolve, 60_000)) }`,
      },
      { timeoutMs: 1000 },
    );
    const { payload, functionError, tail } = await invoke(environment, {}, 'one');
    expect(functionError).toBe('Unhandled');
    expect(payload).toEqual({
      errorType: 'Sandbox.Timedout',
      errorMessage: 'RequestId: one Error: Task timed out after 1.00 seconds',
    });
    expect(tail).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z one Task timed out after 1.00 seconds$/m);
    expect(tail).toMatch(/Duration: 1000.00 ms.*\tStatus: timeout\t$/m);
    expect(environment.ended).toBe(true);
    expect(remaining()).toEqual([]);
  });

  it.each([
    ['process.exit(3)', 'Runtime.ExitError', 'Runtime exited with error: exit status 3'],
    ['process.exit(0)', 'Runtime.ExitError', 'Runtime exited without providing a reason'],
    [
      "process.kill(process.pid, 'SIGSEGV')",
      'Runtime.ExitError',
      'Runtime exited with error: signal: segmentation fault',
    ],
  ])('reports %s', async (statement, errorType, text) => {
    const environment = bench.environment({
      'index.mjs': `export const handler = async () => { ${statement}; await new Promise(() => setInterval(() => {}, 1000)) }`,
    });
    const { payload, tail } = await invoke(environment, {}, 'one');
    expect(payload).toEqual({ errorType, errorMessage: `RequestId: one Error: ${text}` });
    expect(tail).toContain(`RequestId: one Error: ${text}\n${errorType}\n`);
    expect(environment.ended).toBe(true);
  });

  it('reports an uncaught exception and an unhandled rejection, then ends', async () => {
    const thrown = bench.environment({
      'index.mjs': `export const handler = () => new Promise(() => setTimeout(() => { throw new RangeError('late') }, 5))`,
    });
    expect((await invoke(thrown)).payload).toMatchObject({ errorType: 'RangeError', errorMessage: 'late' });
    const rejected = bench.environment({
      'index.mjs': `export const handler = () => new Promise(() => { Promise.reject(new Error('lost')) })`,
    });
    expect((await invoke(rejected)).payload).toMatchObject({
      errorType: 'Runtime.UnhandledPromiseRejection',
      errorMessage: 'Error: lost',
    });
    expect([thrown.ended, rejected.ended]).toEqual([true, true]);
  });

  it('is killed when the runtime takes more memory than it has', async () => {
    const environment = bench.environment(
      {
        'index.mjs': `export const handler = async () => { const all = []; for (;;) { all.push(Buffer.alloc(8 << 20, 1)); await new Promise((r) => setTimeout(r, 5)) } }`,
      },
      { memoryMiB: 128 },
    );
    const { payload, tail } = await invoke(environment, {}, 'one');
    expect(payload).toEqual({
      errorType: 'Runtime.OutOfMemory',
      errorMessage: 'RequestId: one Error: Runtime exited with error: signal: killed',
    });
    expect(tail).toContain('Max Memory Used: 128 MB');
  });

  it('loses only the child when that is what takes the memory, and can read why as soon as it has ended', async () => {
    const environment = bench.environment(
      {
        'index.mjs': `import { spawn } from 'node:child_process'; import { once } from 'node:events'; import { readFileSync } from 'node:fs';
          const events = () => readFileSync(process.env.LAMBDA_LOCAL_MEMORY_EVENTS, 'utf8');
          export const handler = async () => {
            const before = events();
            const child = spawn(process.execPath, ['-e', 'const all = []; setInterval(() => all.push(Buffer.alloc(8 << 20, 1)), 5)']);
            const [code, signal] = await once(child, 'exit'); return { before, signal, after: events() } }`,
      },
      { memoryMiB: 192 },
    );
    expect((await invoke(environment)).payload).toEqual({
      before: 'oom 0\noom_kill 0\n',
      signal: 'SIGKILL',
      after: 'oom 1\noom_kill 1\n',
    });
    expect((await invoke(environment)).payload.after, 'of all its invocations').toBe('oom 2\noom_kill 2\n');
    expect(environment.ended).toBe(false);
  });

  it('loses its largest process, whichever grew last, and no other', async () => {
    const environment = bench.environment(
      {
        'index.mjs': `import { spawn } from 'node:child_process'; import { once } from 'node:events';
          const hold = (mebibytes) => spawn(process.execPath,
            ['-e', 'const held = Buffer.alloc(' + mebibytes + ' << 20, 1); console.log(held.length); setInterval(() => {}, 1000)']);
          export const handler = async () => {
            const large = hold(200); const ended = once(large, 'exit');
            await once(large.stdout, 'data');
            const small = hold(100);
            const [, signal] = await ended;
            await once(small.stdout, 'data');
            const lives = small.exitCode === null && small.signalCode === null;
            small.kill(); return { signal, lives } }`,
      },
      { memoryMiB: 330 },
    );
    expect((await invoke(environment)).payload).toEqual({ signal: 'SIGKILL', lives: true });
  });

  it.each([
    ['no such module', {}, 'Runtime.ImportModuleError'],
    ['a syntax error', { 'index.js': 'exports.handler = (' }, 'Runtime.UserCodeSyntaxError'],
    ['no such export', { 'index.mjs': 'export const other = 1' }, 'Runtime.HandlerNotFound'],
    ['an error while loading', { 'index.mjs': 'throw new URIError("at init")' }, 'URIError'],
  ])('reports %s at init', async (_, files, errorType) => {
    const environment = bench.environment(files);
    const { payload, functionError } = await invoke(environment);
    expect(functionError).toBe('Unhandled');
    expect(payload.errorType).toBe(errorType);
    expect(environment.ended).toBe(true);
  });

  it('gets a second init within its own timeout when the first takes too long', async () => {
    await bench[Symbol.asyncDispose]();
    bench = await EnvironmentBench.open({ initLimitMs: 700 });
    const files = {
      'index.mjs': `import { existsSync, writeFileSync } from 'node:fs'; import { tmpdir } from 'node:os';
        const mark = tmpdir() + '/seen'; if (!existsSync(mark)) { writeFileSync(mark, ''); await new Promise((r) => setTimeout(r, 60_000)) }
        export const handler = async () => 'second'`,
    };
    expect((await invoke(bench.environment(files))).payload).toBe('second');
    expect(bench.logs[0]).toMatch(/^INIT_REPORT Init Duration: [\d.]+ ms\tPhase: init\tStatus: timeout\t\n$/);
  });

  it('answers Function.ResponseSizeTooLarge above 6 MB', async () => {
    const environment = bench.environment({ 'index.mjs': `export const handler = async (n) => 'x'.repeat(n)` });
    expect((await invoke(environment, 6_291_556 - 2)).functionError).toBeUndefined();
    expect((await invoke(environment, 6_291_556 - 1)).payload).toEqual({
      errorType: 'Function.ResponseSizeTooLarge',
      errorMessage: 'Response payload size exceeded maximum allowed payload size (6291556 bytes).',
    });
  });
});

describe('handlers', () => {
  it.each([
    ['CommonJS', 'index.js', 'exports.handler = async () => 1'],
    [
      'a callback',
      'index.js',
      'exports.handler = (event, context, callback) => { setTimeout(() => callback(null, 1), 5) }',
    ],
    [
      'a callback that does not wait',
      'index.js',
      'exports.handler = (e, context, callback) => { context.callbackWaitsForEmptyEventLoop = false; setInterval(() => {}, 1000); callback(null, 1) }',
    ],
    ['context.succeed', 'index.cjs', 'exports.handler = (event, context) => { context.succeed(1) }'],
  ])('may be %s', async (_, file, text) => {
    const { payload } = await invoke(bench.environment({ [file]: text }));
    expect(payload).toBe(1);
  });

  it('answer null when nothing is left that could answer', async () => {
    const environment = bench.environment({ 'index.js': 'exports.handler = () => new Promise(() => {})' });
    expect((await invoke(environment)).payload).toBeNull();
    expect((await invoke(environment)).payload).toBeNull();
  });

  it('with callbacks are refused by the runtimes that refuse them', async () => {
    const files = { 'index.js': 'exports.handler = (event, context, callback) => callback(null, 1)' };
    const { payload } = await invoke(bench.environment(files, { runtime: 'nodejs24.x' }));
    expect(payload.errorType).toBe('Runtime.CallbackHandlerDeprecated');
  });
});

describe('the end of an environment', () => {
  it('leaves no process, not even a daemon, and no folder', async () => {
    const environment = bench.environment({
      'index.mjs': `import { spawn } from 'node:child_process';
        export const handler = async () => { spawn('sh', ['-c', '(setsid sleep 1000 &) &'], { stdio: 'ignore' }); spawn('sleep', ['1000'], { stdio: 'ignore' });
          await new Promise((r) => setTimeout(r, 50)) }`,
    });
    await invoke(environment);
    expect(remaining().length).toBeGreaterThanOrEqual(3);
    await environment.end();
    expect(remaining()).toEqual([]);
    expect(existsSync(bench.host.runFolder)).toBe(true);
    expect(readdirSync(bench.host.runFolder)).toEqual(['owner']);
  });

  it('is told when the process dies while it is frozen', async () => {
    const environment = bench.environment({ 'index.mjs': 'export const handler = async () => process.pid' });
    const { payload } = await invoke(environment);
    const ended = new Promise<void>((resolve) => {
      environment.onEnd = resolve;
    });
    process.kill(payload, 'SIGKILL');
    await ended;
    expect(environment.ended).toBe(true);
  });
});
