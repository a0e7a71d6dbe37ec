import { createHash, randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CloudWatchLogsClient } from '@aws-sdk/client-cloudwatch-logs';
import { LambdaClient } from '@aws-sdk/client-lambda';
import { DeleteObjectsCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3';
import { mockClient } from 'aws-sdk-client-mock';
import { resolveConfig, type ScarClientOptions } from '../../../src/client/config.js';
import { type ClientContext, makeContext } from '../../../src/client/context.js';
import type { ProgressEvent, RetryEvent, WarningEvent } from '../../../src/client/events.js';

export const ROLE = 'arn:aws:iam::123456789012:role/scar';
export const REGION = 'eu-west-1';
export const functionArn = (name: string) => `arn:aws:lambda:${REGION}:123456789012:function:${name}`;

import { file, type TarItem, tar } from '../../support/tar.js';

/** A client's context over mocked clients: what is sent is recorded, what only AWS answers is answered by the test. */
export function mockedContext(options: ScarClientOptions = {}) {
  const settings = { region: REGION, credentials: { accessKeyId: 'AKIAMOCK', secretAccessKey: 'mock-secret' } };
  const clients = {
    lambda: new LambdaClient(settings),
    s3: new S3Client(settings),
    logs: new CloudWatchLogsClient(settings),
  };
  const events = { progress: [] as ProgressEvent[], warning: [] as WarningEvent[], retry: [] as RetryEvent[] };
  const slept: number[] = [];
  const closing = new AbortController();
  const config = resolveConfig({ region: REGION, roleArn: ROLE, owner: 'tester', clients, ...options }, {});
  const made = makeContext(
    config,
    {
      progress: (event) => events.progress.push(event),
      warning: (event) => events.warning.push(event),
      retry: (event) => events.retry.push(event),
    },
    closing.signal,
  );
  const context: ClientContext = {
    ...made.context,
    // Waits are recorded and take one turn of the event loop, so that nothing here depends on time; no other time passes.
    now: () => slept.reduce((sum, ms) => sum + ms, 0),
    sleep: async (ms, signal) => {
      slept.push(ms);
      await new Promise((resolve) => setImmediate(resolve));
      signal?.throwIfAborted();
    },
    random: () => 0.5,
  };
  return {
    context,
    closing,
    events,
    slept,
    lambda: mockClient(clients.lambda),
    s3: mockClient(clients.s3),
    logs: mockClient(clients.logs),
  };
}

/** A bucket that lists these keys until they are deleted. */
export function listKeys(s3: ReturnType<typeof mockedContext>['s3'], ...keys: string[]): void {
  s3.on(ListObjectsV2Command).callsFake(({ Prefix = '' }) => {
    const deleted = deletedKeys(s3);
    const left = keys.filter((key) => key.startsWith(Prefix) && !deleted.includes(key));
    return { Contents: left.map((Key) => ({ Key, Size: 0 })) };
  });
}

/** Keys that DeleteObjects was called with. */
export function deletedKeys(s3: ReturnType<typeof mockedContext>['s3']): string[] {
  return s3
    .commandCalls(DeleteObjectsCommand)
    .flatMap((call) => call.args[0].input.Delete?.Objects?.map(({ Key = '' }) => Key) ?? []);
}

/** An error as the SDK throws it. */
export function awsError(name: string, message = name, fields: Record<string, unknown> = {}, status = 400): Error {
  return Object.assign(new Error(message), {
    name,
    $metadata: { httpStatusCode: status },
    $fault: 'client',
    ...fields,
  });
}

/** A folder for one test file. */
export async function temporaryFolder(): Promise<{ path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'scar-client-test-'));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}

/** A folder with the files of a built supervisor. */
export async function builtSupervisor(folder: string): Promise<string> {
  const path = join(folder, 'supervisor');
  await mkdir(path, { recursive: true });
  await writeFile(join(path, 'index.mjs'), 'export const handler = async () => ({});\n');
  for (const platform of ['amd64', 'arm64']) await writeFile(join(path, `inroot-${platform}`), `\x7fELF ${platform}`);
  return path;
}

export interface TestImage {
  /** `oci:DIR:latest` */
  reference: string;
  digest: string;
}

/** Too large to ride in a package, and nothing that gzip makes smaller. */
export const ballast = file('ballast', randomBytes(9 * 1024 * 1024));

/** An OCI image layout with two layers and what is added to the second: enough for everything but running it. */
export async function ociLayout(
  folder: string,
  { architecture = 'amd64', files = [] }: { architecture?: string; files?: TarItem[] } = {},
): Promise<TestImage> {
  const layers = [tar(file('one', '1')), tar(file('two', '2'), ...files)];
  const path = await mkdtemp(join(folder, 'layout-'));
  await mkdir(join(path, 'blobs/sha256'), { recursive: true });
  const put = async (text: string | Buffer, mediaType: string) => {
    const hex = createHash('sha256').update(text).digest('hex');
    await writeFile(join(path, 'blobs/sha256', hex), text);
    return { mediaType, digest: `sha256:${hex}`, size: Buffer.byteLength(text) };
  };
  const stored = await Promise.all(layers.map((bytes) => put(bytes, 'application/vnd.oci.image.layer.v1.tar')));
  const config = {
    architecture,
    os: 'linux',
    config: { Cmd: ['/bin/true'] },
    rootfs: { type: 'layers', diff_ids: stored.map((layer) => layer.digest) },
  };
  const configBlob = await put(JSON.stringify(config), 'application/vnd.oci.image.config.v1+json');
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  const manifest = { schemaVersion: 2, mediaType, config: configBlob, layers: stored };
  const manifestBlob = await put(JSON.stringify(manifest), mediaType);
  const annotations = { 'org.opencontainers.image.ref.name': 'latest' };
  const index = { schemaVersion: 2, manifests: [{ ...manifestBlob, annotations }] };
  await writeFile(join(path, 'index.json'), JSON.stringify(index));
  await writeFile(join(path, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }));
  return {
    reference: `oci:${path}:latest`,
    digest: manifestBlob.digest,
  };
}
