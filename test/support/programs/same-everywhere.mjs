// One program for the embedded engine and for any other: only the first lines differ. Prints what came of it, as JSON.
import { pathToFileURL } from 'node:url';
import {
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  PutObjectCommand,
} from '@aws-sdk/client-s3';

const [entry = '', image = '', elsewhere] = process.argv.slice(2);
const { ScarClient } = await import(pathToFileURL(entry).href);

const scar = elsewhere === undefined ? await ScarClient.local() : new ScarClient(JSON.parse(elsewhere));

const { s3 } = scar;
const Bucket = 'same';
try {
  await s3.send(new CreateBucketCommand({ Bucket }));
  for (const name of ['one', 'two', 'three', 'fails']) {
    await s3.send(new PutObjectCommand({ Bucket, Key: `input/${name}.txt`, Body: `${name}\n` }));
  }
  const inline = [
    'name=$(basename "$SCAR_INPUT_FILE")',
    'case $name in fails*) echo "no $name" >&2; exit 7 ;; esac',
    'echo "working on $name"',
    '{ cat "$SCAR_INPUT_FILE"; echo "$LEVEL"; } > "$SCAR_OUTPUT_DIR/$name"',
  ].join('\n');
  await scar.createFunction({ name: 'same', image, script: { inline }, environment: { LEVEL: '3' }, memoryMiB: 256 });
  const { environments } = await scar.preheat('same');
  const items = [];
  for await (const item of scar.mapOverBucket('same', { bucket: Bucket, prefix: 'input/', concurrency: 2 })) {
    const { key, size, status, reason, exitCode, signal, outputs, stdout, stderr, error } = item;
    items.push({ key, size, status, reason, exitCode, signal, outputs, stdout, stderr, message: error?.message });
  }
  const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key: 'output/two.txt' }));
  const nobody = await scar.invoke('nobody').catch(({ name, code, message }) => ({ name, code, message }));
  const direct = await scar.invoke('same', { args: ['echo', 'direct'] });
  const deleted = await scar.deleteFunction('same');
  console.log(
    JSON.stringify({
      environments,
      items: items.sort((a, b) => (a.key < b.key ? -1 : 1)),
      output: await Body.transformToString(),
      nobody,
      direct: { status: direct.status, stdout: direct.stdout },
      deleted,
      functions: await scar.listFunctions(),
    }),
  );
} finally {
  for (const name of ['one', 'two', 'three', 'fails']) {
    for (const folder of ['input', 'output'])
      await s3.send(new DeleteObjectCommand({ Bucket, Key: `${folder}/${name}.txt` }));
  }
  await s3.send(new DeleteBucketCommand({ Bucket }));
  await scar.close();
}
