// S3 and Lambda that answer at once, and the same whatever they are asked for: what is left is what a client takes. Run as a program, it serves
// HTTP on a port of its own, which it sends to its parent; others here answer within the process.
import { fork } from 'node:child_process';
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';

const page = 1_000;
const requestId = '3f1c8a52-7d0e-4a6b-9c14-5e2f60b7d981';
const digest = `sha256:${'5f'.repeat(32)}`;

/** What the supervisor answers when a container has printed a line. */
const outcome = {
  status: 'succeeded',
  input: { bucket: 'objects-1000', key: 'input/0000000', bytes: 1 },
  exitCode: 0,
  signal: null,
  outputs: [{ bucket: 'objects-1000', key: 'output/0000000', bytes: 1 }],
  stdout: { text: 'done\n', bytes: 5 },
  stderr: { text: '', bytes: 0 },
  timings: { pullMs: 0, stageInMs: 3.2, containerMs: 8.1, stageOutMs: 4.7 },
};
const answer = Buffer.from(
  JSON.stringify({
    scar: 1,
    requestId,
    environmentId: '2026/01/01/[$LATEST]0123456789abcdef0123456789abcdef',
    coldStart: false,
    image: { digest, pulled: false },
    runner: 'in-process',
    outcomes: [outcome],
  }),
);
const log = `START RequestId: ${requestId} Version: $LATEST
{"level":"info","message":"container ended","exitCode":0}
END RequestId: ${requestId}
REPORT RequestId: ${requestId}	Duration: 17.04 ms	Billed Duration: 18 ms	Memory Size: 512 MB	Max Memory Used: 74 MB	
`;
const invoked = {
  status: 200,
  headers: {
    'content-type': 'application/json',
    'content-length': String(answer.length),
    'x-amzn-requestid': requestId,
    'x-amz-executed-version': '$LATEST',
    'x-amz-log-result': Buffer.from(log).toString('base64'),
  },
  body: answer,
};

/** @param {number} number */
export const key = (number) => `input/${String(number).padStart(7, '0')}`;

/** A page of the bucket `objects-N`, which has N objects. @param {string} bucket @param {URLSearchParams} query */
function list(bucket, query) {
  const objects = Number(bucket.slice('objects-'.length));
  const from = Number(query.get('continuation-token') ?? 0);
  const to = Math.min(objects, from + page);
  let contents = '';
  for (let number = from; number < to; number += 1) {
    contents += `<Contents><Key>${key(number)}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>&quot;0cc175b9c0f1b6a831c399e269772661&quot;</ETag><Size>1</Size><StorageClass>STANDARD</StorageClass></Contents>`;
  }
  const next = to < objects ? `<NextContinuationToken>${to}</NextContinuationToken>` : '';
  return `<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>${bucket}</Name><EncodingType>url</EncodingType><KeyCount>${to - from}</KeyCount><MaxKeys>${page}</MaxKeys><IsTruncated>${to < objects}</IsTruncated>${next}${contents}</ListBucketResult>`;
}

/**
 * @param {string} method
 * @param {string} path - with its query
 * @returns {{ status: number, headers: Record<string, string>, body: Buffer }}
 */
function respond(method, path) {
  if (method === 'POST' && path.endsWith('/invocations')) return invoked;
  const { pathname, searchParams } = new URL(path, 'http://localhost');
  if (searchParams.has('list-type')) return ok('application/xml', list(pathname.split('/')[1] ?? '', searchParams));
  if (pathname.endsWith('/configuration')) return json({ FunctionName: 'bench', MemorySize: 512, State: 'Active' });
  if (pathname.endsWith('/concurrency')) return json({});
  if (pathname.endsWith('/account-settings')) {
    return json({ AccountLimit: { ConcurrentExecutions: 10_000, UnreservedConcurrentExecutions: 10_000 } });
  }
  throw new Error(`A benchmark's AWS knows nothing of ${method} ${path}`);
}

/** @param {unknown} value */
const json = (value) => ok('application/json', JSON.stringify(value));

/** @param {string} type @param {string} text */
function ok(type, text) {
  const body = Buffer.from(text);
  return { status: 200, headers: { 'content-type': type, 'content-length': String(body.length) }, body };
}

/** A `requestHandler` for clients of the AWS SDK. */
export const instantHandler = {
  /** @param {{ method: string, path: string, query?: Record<string, string> }} request */
  async handle({ method, path, query = {} }) {
    const search = new URLSearchParams(query).toString();
    const { status, headers, body } = respond(method, search === '' ? path : `${path}?${search}`);
    return { response: { statusCode: status, headers, body } };
  },
};

/** A client that invokes without the SDK's way to HTTP and back, which is most of what an invocation costs here. */
export class InstantLambda extends LambdaClient {
  /** @param {import('@aws-sdk/client-lambda').LambdaClientConfig} config */
  constructor(config) {
    super({ ...config, requestHandler: instantHandler });
  }

  async send(command, ...options) {
    if (!(command instanceof InvokeCommand)) return super.send(command, ...options);
    const { headers, body } = invoked;
    return { $metadata: { requestId }, Payload: new Uint8Array(body), LogResult: headers['x-amz-log-result'] };
  }
}

/** Serves in a process of its own. @returns {Promise<{ endpoint: string, stop(): void }>} */
export async function serveInstantly() {
  const child = fork(fileURLToPath(import.meta.url), { execArgv: [] });
  const port = await new Promise((resolve, reject) => {
    child.once('message', resolve);
    child.once('exit', (code) => reject(new Error(`The server ended with exit code ${code}`)));
  });
  return { endpoint: `http://127.0.0.1:${port}`, stop: () => child.disconnect() };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
    request.resume();
    request.once('end', () => {
      const { status, headers, body } = respond(request.method ?? '', request.url ?? '');
      response.writeHead(status, headers).end(body);
    });
  });
  server.listen(0, '127.0.0.1', () =>
    process.send?.(/** @type {import('node:net').AddressInfo} */ (server.address()).port),
  );
  process.once('disconnect', () => process.exit());
}
