// From an image to the end of its first process: ours from the rootfs archive that functions read, and from the layers, against
// `gzip -dc | tar x` of the same layers, skopeo + umoci, and podman where it is installed. All of them read files and write to the same disk, and
// nothing is removed before the end if the disk has room: where files were removed, ext4 makes new ones slowly for minutes.
//   SCAR_BENCH_IMAGE=oci:DIR[:TAG]   another image than the quickstart's
//   SCAR_BENCH_FOLDER=DIR            another disk than that of the temporary folder (/dev/shm leaves the disk out)
//   SCAR_BENCH_RUNS=N                default 5
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { capture, repository } from '../../scripts/lib/command.mjs';
import { bundle } from './lib/bundle.mjs';
import { figure, median, printTable } from './lib/figures.mjs';
import { image as quickstartImage } from './lib/image.mjs';

const runs = Number(process.env.SCAR_BENCH_RUNS ?? 5);
const targets = { timeOfTar: 0.7, timesFaster: 4, diskOfRootfs: 1.05, rssMiB: 150 };
const isRoot = process.getuid?.() === 0;

const reference = process.env.SCAR_BENCH_IMAGE ?? (await quickstartImage());
const layers = readLayout(reference);
const work = mkdtempSync(join(process.env.SCAR_BENCH_FOLDER ?? tmpdir(), 'scar-bench-cold-'));
// ext4 spreads the folders in it over the disk, so that none has to do with what others removed; elsewhere that means nothing.
await capture('chattr', ['+T', work]);
try {
  const program = await bundle('unpack', work);
  const archive = join(work, 'archive');
  execFileSync(process.execPath, [program, 'write', reference, archive]);
  const contenders = await installedContenders(program, archive);
  const measured = await race(contenders);
  report(measured);
} finally {
  rmSync(work, { recursive: true, force: true });
}

/**
 * @typedef {object} Contender
 * @property {string} name
 * @property {(folder: string) => string[]} command - a shell's arguments: brings the image into `folder`
 * @property {(folder: string) => string} [rootfs] - where the rootfs is then; absent: somewhere of the tool's own
 */

/** @param {string} program @param {string} archive @returns {Promise<Contender[]>} */
async function installedContenders(program, archive) {
  const inroot = join(repository, 'dist/supervisor/inroot-amd64');
  const first = (/** @type {string} */ root) =>
    isRoot ? `chroot "${root}" /bin/true` : `"${inroot}" "${root}" /bin/true`;
  const untar = layers.map((layer) => `gzip -dc "${layer}" | tar x -C "$0/rootfs" && `).join('');
  const [, directory = '', tag = 'latest'] = reference.split(':');
  /** @param {string} name @param {string} way @param {string} from @returns {Contender & { needs: string[] }} */
  const ours = (name, way, from) => ({
    name,
    needs: [],
    rootfs: (folder) => join(folder, 'rootfs'),
    command: (folder) => [
      '-ec',
      `"${process.execPath}" "${program}" ${way} "${from}" "$0/rootfs" && "${inroot}" "$0/rootfs" /bin/true`,
      folder,
    ],
  });
  /** @type {(Contender & { needs: string[] })[]} */
  const all = [
    ours('ours', 'archive', archive),
    ours('ours, layers', 'layers', reference),
    {
      name: 'gzip -dc | tar x',
      needs: ['gzip', 'tar'],
      rootfs: (folder) => join(folder, 'rootfs'),
      command: (folder) => ['-ec', `mkdir "$0/rootfs" && ${untar}${first('$0/rootfs')}`, folder],
    },
    {
      name: 'skopeo + umoci',
      needs: ['skopeo', 'umoci'],
      rootfs: (folder) => join(folder, 'bundle/rootfs'),
      command: (folder) => [
        '-ec',
        `skopeo copy --quiet --insecure-policy "${reference}" "oci:$0/layout:it" && ` +
          `umoci --log=error unpack --rootless --image "$0/layout:it" "$0/bundle" && ${first('$0/bundle/rootfs')}`,
        folder,
      ],
    },
    {
      name: 'podman pull',
      needs: ['podman'],
      // It makes the image's name of the path, which must be a proper one for that; and its storage may stay mounted on itself.
      command: (folder) => [
        '-ec',
        `cd "$0" && ln -s "${resolve(directory)}" image && podman --root "$0/root" --runroot "$0/run" pull --quiet ` +
          `"oci:image:${tag}" && { umount "$0/root/overlay" || true; }`,
        folder,
      ],
    },
  ];
  const present = [];
  for (const contender of all) {
    const missing = [];
    for (const tool of contender.needs) if ((await capture('which', [tool]))?.code !== 0) missing.push(tool);
    if (missing.length > 0) console.log(`without ${contender.name}: ${missing.join(', ')} is not installed`);
    else present.push(contender);
  }
  return present;
}

/** Every contender takes its turn in every round, so that what else the machine does meets all of them alike. @param {Contender[]} contenders */
async function race(contenders) {
  let places = 0;
  const results = new Map(
    contenders.map((contender) => [
      contender,
      { ms: /** @type {number[]} */ ([]), rssMiB: 0, peakBytes: 0, rootfsBytes: 0 },
    ]),
  );
  for (let round = 0; round <= runs; round += 1) {
    for (const [contender, result] of results) {
      const folder = join(work, `place-${places++}`);
      mkdirSync(folder);
      execFileSync('sync');
      // The first round is not timed: it warms the page cache, and looks at the disk, which takes time itself.
      const watch = round === 0 ? watchDisk(folder) : undefined;
      const started = performance.now();
      const output = await shell(contender.command(folder));
      if (round > 0) result.ms.push(performance.now() - started);
      if (watch) result.peakBytes = await watch();
      if (round === 0 && contender.rootfs) result.rootfsBytes = diskUse(contender.rootfs(folder));
      if (contender.name.startsWith('ours')) {
        result.rssMiB = Math.max(result.rssMiB, JSON.parse(output.trim().split('\n').at(-1) ?? '').peakRssKiB / 1024);
      }
      const { bavail, bsize } = statfsSync(work);
      const rest = (runs + 1 - round) * contenders.length * result.peakBytes;
      if (bavail * bsize < 2 * rest) rmSync(folder, { recursive: true, force: true });
    }
  }
  return results;
}

/** @param {Awaited<ReturnType<typeof race>>} measured */
function report(measured) {
  const rows = [...measured].map(([{ name }, result]) => ({ name, ...result, medianMs: median(result.ms) }));
  const tar = rows.find(({ name }) => name.startsWith('gzip'));
  const ours = rows.find(({ name }) => name === 'ours');
  const rootfsBytes = tar?.rootfsBytes ?? 0;
  const mib = (/** @type {number} */ bytes) => Math.round(bytes / 2 ** 20);
  const table = rows.map((row) => ({
    tool: row.name,
    medianMs: Math.round(row.medianMs),
    ofTar: figure(row.medianMs / (tar?.medianMs ?? Number.NaN)),
    ofOurs: figure(row.medianMs / (ours?.medianMs ?? Number.NaN)),
    peakDiskMiB: mib(row.peakBytes),
    ofRootfs: figure(row.peakBytes / rootfsBytes),
  }));
  console.log(`${reference}: ${layers.length} layers, ${mib(rootfsBytes)} MiB unpacked, ${runs} runs each`);
  printTable([
    ['image to first process', 'median ms', 'of tar', 'of ours', 'peak disk MiB', 'of rootfs'],
    ...table.map((row) => [row.tool, row.medianMs, row.ofTar, row.ofOurs, row.peakDiskMiB, row.ofRootfs]),
  ]);
  const rssMiB = Math.round(Math.max(...rows.map((row) => row.rssMiB)));
  console.log(
    `ours: peak RSS ${rssMiB} MiB. Targets: ${targets.timeOfTar} of tar's time, skopeo + umoci and podman ` +
      `${targets.timesFaster} of ours, ${targets.diskOfRootfs} of the rootfs, ${targets.rssMiB} MiB.`,
  );
  console.log(
    JSON.stringify({ reference, runs, rootfsMiB: mib(rootfsBytes), peakRssMiB: rssMiB, tools: table, targets }),
  );
}

/** Looks at the disk over and over; the function it gives back ends that and says the most that it saw. @param {string} folder */
function watchDisk(folder) {
  let peak = 0;
  let ended = false;
  const watching = (async () => {
    while (!ended) {
      const seen = await capture('du', ['-s', '--block-size=1', folder]);
      peak = Math.max(peak, Number.parseInt(seen?.stdout ?? '', 10) || 0);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  })();
  return async () => {
    ended = true;
    await watching;
    return Math.max(peak, diskUse(folder));
  };
}

/** Bytes of disk under a folder. @param {string} folder */
function diskUse(folder) {
  return Number.parseInt(execFileSync('du', ['-s', '--block-size=1', folder], { encoding: 'utf8' }), 10);
}

/** Runs a shell to its end and gives back its output. @param {string[]} args */
async function shell(args) {
  const child = spawn('sh', args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = once(child, 'close');
  const [output, messages] = await Promise.all([child.stdout, child.stderr].map((stream) => stream.toArray()));
  const [code] = await ended;
  if (code !== 0) throw new Error(`${args[1]} ended with exit code ${code}: ${Buffer.concat(messages ?? [])}`);
  return Buffer.concat(output ?? []).toString();
}

/** The layers' files of `oci:DIR[:TAG]`. @param {string} text @returns {string[]} */
function readLayout(text) {
  const [kind, directory = '', tag] = text.split(':');
  if (kind !== 'oci') throw new Error(`SCAR_BENCH_IMAGE must be oci:DIR[:TAG]; received ${text}`);
  const blob = (/** @type {{ digest: string }} */ { digest }) => join(directory, 'blobs', ...digest.split(':'));
  const json = (/** @type {string} */ file) => JSON.parse(readFileSync(file, 'utf8'));
  const { manifests } = json(join(directory, 'index.json'));
  const named = (/** @type {{ annotations?: Record<string, string> }} */ { annotations }) =>
    annotations?.['org.opencontainers.image.ref.name'] === tag;
  const manifest = json(blob(manifests.find(named) ?? manifests[0]));
  return manifest.layers.map(blob);
}
