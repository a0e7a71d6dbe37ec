import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { CreateBucketCommand, GetObjectCommand, ListBucketsCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { missingProgram, runScarLocal, type ScarLocal, startScarLocal } from '../../support/scar-local.js';
import { sha256 } from '../../support/sigv4.js';
import { temporaryFolder } from '../../support/temporary.js';

describe.skipIf(missingProgram)('scar-local', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  const running: ScarLocal[] = [];

  beforeEach(async () => {
    folder = await temporaryFolder();
  });

  afterEach(async () => {
    for (const local of running.splice(0)) await local.stop('SIGKILL');
    await folder[Symbol.asyncDispose]();
  });

  async function start(...args: string[]): Promise<ScarLocal> {
    const local = await startScarLocal(args, { ...process.env, TMPDIR: folder.path });
    running.push(local);
    return local;
  }

  describe('ready', () => {
    it('prints one line of JSON, and nothing else', async () => {
      const { line, endpoint } = await start('--port', '0', '--region', 'eu-west-3');
      expect(line.endsWith('\n')).toBe(true);
      expect(line.trim()).not.toContain('\n');
      expect(Object.keys(JSON.parse(line))).toEqual(['endpoint', 'region', 'accessKeyId', 'secretAccessKey']);
      expect(JSON.parse(line).region).toBe('eu-west-3');
      expect(endpoint).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    });

    it('has credentials of its own each time', async () => {
      const [first, second] = [await start('--port', '0'), await start('--port', '0')];
      const keys = [first, second].map(({ line }) => JSON.parse(line));
      expect(keys[0].secretAccessKey).not.toBe(keys[1].secretAccessKey);
      expect(keys[0].accessKeyId).not.toBe(keys[1].accessKeyId);
    });

    it('keeps what is in --data, and only that', async () => {
      const data = join(folder.path, 'data');
      const first = await start('--port', '0', '--data', data);
      await first.client.send(new CreateBucketCommand({ Bucket: 'kept' }));
      await first.client.send(new PutObjectCommand({ Bucket: 'kept', Key: 'k', Body: 'x' }));
      expect(await first.stop()).toBe(0);
      const second = await start('--port', '0', '--data', data);
      const { Body } = await second.client.send(new GetObjectCommand({ Bucket: 'kept', Key: 'k' }));
      expect(await Body?.transformToString()).toBe('x');
      expect(readdirSync(folder.path)).toEqual(['data']);
    });
  });

  describe('the end', () => {
    it.each(['SIGINT', 'SIGTERM'] as const)('%s leaves nothing behind', async (signal) => {
      const local = await start('--port', '0');
      await local.client.send(new CreateBucketCommand({ Bucket: 'gone' }));
      expect(readdirSync(folder.path)).toHaveLength(1);
      expect(await local.stop(signal)).toBe(0);
      expect(readdirSync(folder.path)).toEqual([]);
    });

    it('does not wait for a client that does not finish', async () => {
      const local = await start('--port', '0');
      await local.client.send(new CreateBucketCommand({ Bucket: 'slow' }));
      const never = new ReadableStream({});
      const command = new PutObjectCommand({ Bucket: 'slow', Key: 'k', Body: never, ContentLength: 10 });
      const upload = local.client.send(command).catch((error: Error) => error);
      await new Promise((resolve) => setTimeout(resolve, 200));
      expect(await local.stop()).toBe(0);
      expect(await upload).toBeInstanceOf(Error);
    });
  });

  describe('what is wrong', () => {
    it.each([
      ['an unknown option', ['--prot', '1'], /--prot/],
      ['a port that is no number', ['--port', 'http'], /--port must be a number; received "http"/],
      ['a port that does not exist', ['--port', '65536'], /port must be an integer from 0 to 65535; received 65536/],
      ['a Region that is none', ['--region', 'Europe'], /region must be the name of a Region.*received "Europe"/],
      ['an argument', ['start'], /start/],
    ])('%s: exit code 2', async (_, args, message) => {
      const { code, stdout, stderr } = await runScarLocal(args);
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
      expect(stderr).toMatch(message);
      expect(stderr).not.toContain('    at ');
    });

    it('a port in use: exit code 1', async () => {
      const taken = createServer();
      await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
      const { port } = taken.address() as { port: number };
      const { code, stdout, stderr } = await runScarLocal(['--port', String(port)], {
        ...process.env,
        TMPDIR: folder.path,
      });
      taken.close();
      expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
      expect(stderr).toBe(
        `scar-local: Port ${port} of 127.0.0.1 is in use. Give another one, or 0 for any that is free.\n`,
      );
      expect(readdirSync(folder.path)).toEqual([]);
    });

    it('a folder in use: exit code 1; not when who had it was killed', async () => {
      const data = join(folder.path, 'data');
      const first = await start('--port', '0', '--data', data);
      const second = await runScarLocal(['--port', '0', '--data', data]);
      expect(second).toMatchObject({
        code: 1,
        stdout: '',
        stderr: expect.stringContaining('is in use by another engine'),
      });
      await first.stop('SIGKILL');
      expect(existsSync(join(data, 'lock'))).toBe(true);
      const third = await start('--port', '0', '--data', data);
      expect((await third.client.send(new ListBucketsCommand({}))).Buckets).toEqual([]);
    });

    it('a folder that cannot be made, or is of another version: exit code 1', async () => {
      const file = join(folder.path, 'file');
      writeFileSync(file, '');
      expect(await runScarLocal(['--data', join(file, 'data')])).toMatchObject({ code: 1, stdout: '' });
      const data = join(folder.path, 'data');
      mkdirSync(data);
      writeFileSync(join(data, 'format'), '99');
      const { code, stderr } = await runScarLocal(['--port', '0', '--data', data]);
      expect(code).toBe(1);
      expect(stderr).toContain('has format 99');
    });
  });

  it('--help and --version', async () => {
    const help = await runScarLocal(['--help']);
    expect(help.code).toBe(0);
    for (const option of ['--port', '--data', '--region', '--help', '--version']) expect(help.stdout).toContain(option);
    const { version } = JSON.parse(readFileSync(join(import.meta.dirname, '../../../package.json'), 'utf8'));
    expect(await runScarLocal(['--version'])).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' });
  });

  it("believes another implementation's signatures: curl's", async () => {
    const local = await start('--port', '0');
    const { accessKeyId, secretAccessKey, region } = JSON.parse(local.line);
    const curl = async (path: string, payload: string, ...args: string[]) => {
      const auth = ['--aws-sigv4', `aws:amz:${region}:s3`, '--user', `${accessKeyId}:${secretAccessKey}`];
      // Debian 12's curl leaves that header to its user.
      const hash = ['--header', `x-amz-content-sha256: ${sha256(payload)}`];
      const output = ['--silent', '--show-error', '--write-out', '\n%{http_code}', '--path-as-is'];
      const all = [...output, ...auth, ...hash, ...args, `${local.endpoint}${path}`];
      const { stdout } = await promisify(execFile)('curl', all);
      const at = stdout.lastIndexOf('\n');
      return { status: Number(stdout.slice(at + 1)), body: stdout.slice(0, at) };
    };
    const file = join(folder.path, 'file');
    writeFileSync(file, 'sent by curl');
    expect(await curl('/curled', '', '--request', 'PUT')).toEqual({ status: 200, body: '' });
    expect((await curl('/curled/a%20b', 'sent by curl', '--upload-file', file)).status).toBe(200);
    expect(await curl('/curled/a%20b', '')).toEqual({ status: 200, body: 'sent by curl' });
    const listed = await curl('/curled?list-type=2&prefix=a%20', '');
    expect(listed).toMatchObject({ status: 200, body: expect.stringContaining('<Key>a b</Key>') });
    // Signed for one payload, sent with another.
    const other = await curl('/curled/a%20b', 'something else', '--upload-file', file);
    expect(other).toMatchObject({ status: 400, body: expect.stringContaining('XAmzContentSHA256Mismatch') });
    const wrong = await curl('/curled/a%20b', '', '--user', `${accessKeyId}:wrong`);
    expect(wrong).toMatchObject({ status: 403, body: expect.stringContaining('SignatureDoesNotMatch') });
  });
});
