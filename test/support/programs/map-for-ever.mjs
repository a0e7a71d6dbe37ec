// A user's program that maps containers which do not end; it says when they run. No handler for signals, as most have none.
import { pathToFileURL } from 'node:url';
import { CreateBucketCommand, PutObjectCommand } from '@aws-sdk/client-s3';

const [entry = '', image = '', close = ''] = process.argv.slice(2);
const { ScarClient } = await import(pathToFileURL(entry).href);

const scar = await ScarClient.local();
if (close === 'closing') process.once('SIGINT', () => scar.close());
await scar.s3.send(new CreateBucketCommand({ Bucket: 'data' }));
for (const Key of ['a', 'b', 'c']) await scar.s3.send(new PutObjectCommand({ Bucket: 'data', Key, Body: Key }));
// One process in the foreground, one in a session of its own, as daemons have.
const inline = 'setsid sleep 3333 & sleep 3333';
await scar.createFunction({ name: 'forever', image, memoryMiB: 256, script: { inline } });
await scar.preheat('forever', { environments: 2 });
console.log('mapping');
for await (const item of scar.mapOverBucket('forever', { bucket: 'data', concurrency: 2 })) console.log(item.status);
