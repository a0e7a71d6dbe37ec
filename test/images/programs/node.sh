# Node: fork and execFile, worker threads with shared memory, promises of files, HTTP over loopback, gzip and hashes.
cat >/tmp/work.mjs <<'NODE'
import assert from 'node:assert/strict';
import { execFile, fork } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, readdir, watch, writeFile } from 'node:fs/promises';
import { createServer, get } from 'node:http';
import { promisify } from 'node:util';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { gunzipSync, gzipSync } from 'node:zlib';

if (process.argv[2] === 'child') {
  process.once('message', (n) => process.send(n * 2, () => process.disconnect()));
} else if (!isMainThread) {
  for (let i = 0; i < 1000; i++) Atomics.add(workerData, 0, 1);
  parentPort.postMessage('done');
} else {
  const child = fork('/tmp/work.mjs', ['child']);
  child.send(21);
  assert.equal((await once(child, 'message'))[0], 42);
  const shared = new Int32Array(new SharedArrayBuffer(4));
  const workers = Array.from({ length: 4 }, () => new Worker('/tmp/work.mjs', { workerData: shared }));
  await Promise.all(workers.map((worker) => once(worker, 'exit')));
  assert.equal(shared[0], 4000);
  assert.equal((await promisify(execFile)('sh', ['-c', 'echo from a shell'])).stdout, 'from a shell\n');
  const folder = await mkdtemp('/tmp/node-');
  await Promise.all(Array.from({ length: 100 }, (_, i) => writeFile(`${folder}/${i}`, `${i}`)));
  assert.equal((await readdir(folder)).length, 100);
  assert.equal(await readFile(`${folder}/57`, 'utf8'), '57');
  assert.equal(createHash('sha256').update(gunzipSync(gzipSync('abc'))).digest('hex').slice(0, 8), 'ba7816bf');
  const server = createServer((_, response) => response.end('ok')).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const [response] = await once(get({ port: server.address().port, host: '127.0.0.1', agent: false }), 'response');
  assert.equal((await response.toArray()).join(''), 'ok');
  server.close();
  assert.equal(process.execPath.startsWith('/usr/bin/node'), true);
}
NODE
node /tmp/work.mjs
