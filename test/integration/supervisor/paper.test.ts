import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { debianImage } from '../../../scripts/quickstart/image.mjs';
import { FunctionBench, notification, supervisorMissing } from '../../support/function-bench.js';

const repository = resolve(import.meta.dirname, '../../..');
const missing = supervisorMissing ?? (isThere('mmdebstrap') ? undefined : 'needs the Debian package mmdebstrap');

/** The paper's figure 3: a video becomes gray. */
const GRAYIFY_VIDEO = `#!/bin/sh
OUTPUT_DIR="/tmp/$REQUEST_ID/output"
echo "SCRIPT: video $SCAR_INPUT_FILE, output in $OUTPUT_DIR"
FILENAME=\`basename $SCAR_INPUT_FILE\`
ffmpeg -loglevel panic -nostats -i $SCAR_INPUT_FILE -vf format=gray $OUTPUT_DIR/$FILENAME < /dev/null
`;

/** The paper's figure 8: objects in an image are recognised by a program that reads and writes beside itself. */
const DETECT_OBJECTS = `#!/bin/bash
OUTPUT_DIR="/tmp/$REQUEST_ID/output"
FILENAME=\`basename $SCAR_INPUT_FILE .jpg\`
RESULT="$OUTPUT_DIR/$FILENAME.out"
OUTPUT_IMAGE="$OUTPUT_DIR/$FILENAME-out.png"
cd /opt/darknet
./darknet detect cfg/yolo.cfg yolo.weights $SCAR_INPUT_FILE -out $OUTPUT_DIR/image > $RESULT
mv predictions.png $OUTPUT_IMAGE
`;

/** In Darknet's place: called as it is, it answers as it does, and "recognises" how bright the picture is. */
const RECOGNISER = `#!/bin/bash
[ "$1" = detect ] && [ -r "$2" ] && [ -r "$3" ] || { echo "usage: darknet detect CFG WEIGHTS FILE" >&2; exit 1; }
brightness=$(ffmpeg -loglevel error -i "$4" -vf scale=1:1,format=gray -f rawvideo - < /dev/null | od -An -tu1 | tr -d ' ')
echo "$4: Predicted in 0.1 seconds."
echo "brightness: $((brightness * 100 / 255))%"
ffmpeg -loglevel error -y -i "$4" -vf drawbox=10:10:40:40:red predictions.png < /dev/null
`;

describe.skipIf(missing)(`the paper's scripts run unchanged (${missing ?? 'in Debian 12 with ffmpeg'})`, () => {
  let bench: FunctionBench;
  let image: string;
  let work: string;

  beforeAll(async () => {
    work = mkdtempSync(join(tmpdir(), 'scar-paper-'));
    bench = await FunctionBench.open();
    await bench.createBucket('scar-test');
    image = await paperImage();
  }, 600_000);
  afterAll(async () => {
    await bench?.[Symbol.asyncDispose]();
    rmSync(work, { recursive: true, force: true });
  });

  it('figure 3: ffmpeg makes a video gray', async () => {
    const video = await make('testsrc=duration=1:size=128x96:rate=10', 'video.avi');
    const environment = await bench.start({ image, script: GRAYIFY_VIDEO });
    await bench.store.writeFile({ bucket: 'scar-test', key: 'input/video.avi' }, video);
    const response = await environment.invoke(notification('scar-test', ['input/video.avi']), { requestId: 'r3' });
    expect(response.outcomes).toMatchObject([
      { status: 'succeeded', outputs: [{ bucket: 'scar-test', key: 'output/video.avi' }] },
    ]);
    expect(environment.log).toContain('SCRIPT: video /tmp/r3/input/video.avi, output in /tmp/r3/output');
    const gray = join(work, 'gray.avi');
    await bench.store.readFile({ bucket: 'scar-test', key: 'output/video.avi' }, gray);
    expect(await saturation(video)).toBeGreaterThan(50);
    expect(await saturation(gray)).toBeLessThan(2);
  });

  it('figure 8: a recogniser writes its findings and a picture', async () => {
    const picture = await make('testsrc=duration=0.1:size=320x240:rate=10', 'dog.jpg', '-frames:v', '1');
    await bench.store.writeFile({ bucket: 'scar-test', key: 'input/dog.jpg' }, picture);
    const event = notification('scar-test', ['input/dog.jpg'], { version: 1, script: DETECT_OBJECTS });
    const response = await (await tools()).invoke(event, { requestId: 'r8' });
    expect(response.outcomes).toMatchObject([
      { status: 'succeeded', outputs: [{ key: 'output/dog-out.png' }, { key: 'output/dog.out' }] },
    ]);
    const findings = await bench.text('scar-test', 'output/dog.out');
    expect(findings).toMatch(/^\/tmp\/r8\/input\/dog\.jpg: Predicted in .*\nbrightness: \d+%\n$/);
    const { body } = await bench.store.read({ bucket: 'scar-test', key: 'output/dog-out.png' });
    expect(
      Buffer.concat(await body.toArray())
        .subarray(1, 4)
        .toString(),
    ).toBe('PNG');
  });

  /** Runs ffmpeg in the image, as the machine itself need not have it. Its outputs come through a bucket. */
  async function ffmpeg(...args: string[]): Promise<{ text: string; files: string[] }> {
    const output = [{ bucket: 'scar-test', prefix: `made-${made++}/` }];
    const outcome = await (await tools()).run({
      script: `cd $SCAR_OUTPUT_DIR && ffmpeg -nostats ${args.join(' ')} < /dev/null`,
      output,
    });
    if (outcome.status !== 'succeeded') throw new Error(`${outcome.message}\n${outcome.stderr.text}`);
    return { text: outcome.stderr.text, files: outcome.outputs.map(({ key }) => key) };
  }
  /** A warm environment of a function without a script: bringing the image in takes longer than all else here. */
  const tools = () => {
    started ??= bench.start({ image });
    return started;
  };
  let started: ReturnType<FunctionBench['start']> | undefined;
  let made = 0;

  async function make(source: string, name: string, ...options: string[]): Promise<string> {
    const { files } = await ffmpeg('-f lavfi -i', source, ...options, name);
    const file = join(work, name);
    await bench.store.readFile({ bucket: 'scar-test', key: files[0] ?? '' }, file);
    return file;
  }

  /** Average saturation of a film's frames (ffmpeg-filters, signalstats); 0 is gray. */
  async function saturation(file: string): Promise<number> {
    const key = `probe/${made++}.avi`;
    await bench.store.writeFile({ bucket: 'scar-test', key }, file);
    const filter = 'signalstats,metadata=print:key=lavfi.signalstats.SATAVG:file=-';
    const script = `ffmpeg -loglevel error -i $SCAR_INPUT_FILE -vf ${filter} -f null - < /dev/null`;
    const event = notification('scar-test', [key], { version: 1, script });
    const { outcomes } = await (await tools()).invoke(event);
    const values = [...(outcomes[0]?.stdout.text ?? '').matchAll(/SATAVG=([\d.]+)/g)].map((match) => Number(match[1]));
    expect(values.length).toBeGreaterThan(5);
    return values.reduce((sum, value) => sum + value, 0) / values.length;
  }
});

/** Debian 12 with ffmpeg, and a recogniser where the paper's image has Darknet. Kept, as the quickstart's image is. */
async function paperImage(): Promise<string> {
  const cache = join(repository, '.cache/paper');
  const program = Buffer.from(RECOGNISER).toString('base64');
  const place = `cd "$1/opt" && mkdir -p darknet/cfg && cd darknet && : > cfg/yolo.cfg && : > yolo.weights &&
    echo ${program} | base64 -d > darknet && chmod 755 darknet`;
  return debianImage(cache, {
    suite: 'bookworm',
    variant: 'essential',
    packages: ['ffmpeg'],
    excluded: ['doc', 'info', 'locale', 'man'].map((folder) => `/usr/share/${folder}/*`),
    hooks: [`--customize-hook=${place}`],
    config: { Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'], Cmd: ['ffmpeg', '-version'] },
  });
}

function isThere(program: string): boolean {
  try {
    execFileSync('sh', ['-c', `command -v ${program}`], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
