// Programs in a root file system, by the runner and by its peers: time in proportion to a real chroot(8). All of them run as the same
// user on the same files (the runner's symbolic links apart, which are written in its own way), must give the same output, and take their turns in every round. Needs root.
//   SCAR_BENCH_RUNS=N   default 11
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createViteServer } from 'vitest/node';
import { repository } from '../../scripts/lib/command.mjs';
import { figure, median, printTable } from './lib/figures.mjs';

const runs = Number(process.env.SCAR_BENCH_RUNS ?? 11);
const modules =
  'argparse,asyncio,concurrent.futures,csv,ctypes,decimal,email.message,hashlib,http.client,json,logging,multiprocessing,' +
  'sqlite3,ssl,subprocess,tarfile,unittest,urllib.request,xml.etree.ElementTree,zipfile';

/**
 * @typedef {object} Workload
 * @property {string} name
 * @property {number} target - the most that the runner may take, of chroot's time
 * @property {string[]} argv - in the root
 * @property {number} [times] - how often one measurement starts it, if more than once; figures are for one
 */

/** @type {Workload[]} */
const workloads = [
  { name: 'true', target: 1.2, argv: ['/bin/true'], times: 20 },
  {
    name: '200 spawns',
    target: 1.3,
    argv: ['/bin/sh', '-c', 'i=0; while [ $i -lt 200 ]; do /bin/true || exit 1; i=$((i+1)); done'],
  },
  { name: 'find /usr', target: 1.1, argv: ['/usr/bin/find', '/usr'] },
  // Into a pipe: when tar sees that its output is /dev/null, it does not read the files. One owner, as the container's root sees none but
  // itself; one time, as the two roots were made one after the other.
  {
    name: 'tar of /usr',
    target: 1.1,
    argv: ['/bin/sh', '-c', 'tar -C / --mtime=@0 --owner=0 --group=0 --numeric-owner -cf - usr | cat'],
  },
  { name: 'python imports', target: 1.05, argv: ['/usr/bin/python3', '-B', '-c', `import ${modules}`] },
  {
    name: 'ImageMagick resize',
    target: 1.05,
    argv: ['/usr/bin/convert-im6.q16', '-size', '2400x1800', 'gradient:navy-gold', '-resize', '640x480', 'jpeg:-'],
  },
];

/**
 * @typedef {object} Contender
 * @property {string} name
 * @property {{ package: string, file: string }} [needs] - of Debian
 * @property {(argv: string[]) => string[]} command - what the host executes
 * @property {boolean} [asRoot] - it becomes the user itself
 * @property {Record<string, string>} [environment] - besides that of all
 */

const runner = join(repository, 'dist/supervisor/inroot-amd64');

/**
 * @typedef {object} Place
 * @property {string} root - as the supervisor unpacks it
 * @property {string} plainRoot - the same with its links as they are
 * @property {{ uid: number, gid: number }} user - whose they are
 */

/**
 * @param {Place} place
 * @param {{ cache: string, kept: string }} folders - of the user's; `kept` is on the root's file system
 * @returns {Contender[]}
 */
function contenders({ root, plainRoot, user: { uid, gid } }, { cache, kept }) {
  const fakechroot = '/usr/lib/x86_64-linux-gnu/fakechroot/libfakechroot.so';
  const loader = join(plainRoot, 'lib64/ld-linux-x86-64.so.2');
  return [
    {
      name: 'chroot',
      asRoot: true,
      // The `+` keeps it from looking for a user of that name.
      command: (argv) => ['chroot', `--userspec=+${uid}:+${gid}`, '--groups=', plainRoot, ...argv],
    },
    // As the supervisor starts it: as the container's root, and with all that keeps the next container from seeing a trace.
    {
      name: 'inroot',
      command: (argv) => [
        ...[runner, '--renew', kept, '--user', '0:0', '--owners', join(kept, 'owners'), '--undo', join(kept, 'undo')],
        ...['--cache', cache, '--chdir', '/', root, ...argv],
      ],
    },
    { name: 'bare', command: (argv) => [runner, '--cache', cache, '--chdir', '/', root, ...argv] },
    { name: 'without cache', command: (argv) => [runner, '--chdir', '/', root, ...argv] },
    {
      name: 'PRoot',
      needs: { package: 'proot', file: '/usr/bin/proot' },
      command: (argv) => ['proot', '-r', plainRoot, '-b', '/proc', '-b', '/dev', '-b', '/sys', '-w', '/', ...argv],
    },
    {
      // udocker's mode F1: the image's own ld.so and libraries, and fakechroot's before them.
      name: 'preload',
      needs: { package: 'libfakechroot', file: fakechroot },
      command: ([program = '', ...args]) => [loader, join(plainRoot, program), ...args],
      environment: {
        FAKECHROOT: 'true',
        FAKECHROOT_BASE: plainRoot,
        FAKECHROOT_EXCLUDE_PATH: '/dev:/proc:/sys',
        FAKECHROOT_ELFLOADER: loader,
        LD_LIBRARY_PATH: ['usr/lib/x86_64-linux-gnu', 'usr/lib'].map((folder) => join(plainRoot, folder)).join(':'),
        LD_PRELOAD: fakechroot,
      },
    },
  ];
}

/** The root of the tests, which TypeScript makes. */
async function testRoot() {
  const server = await createViteServer({
    root: repository,
    configFile: false,
    logLevel: 'error',
    server: { middlewareMode: true, ws: false, watch: null },
    optimizeDeps: { noDiscovery: true },
  });
  try {
    const { rootFileSystem, rootsMissing } = await server.ssrLoadModule('/test/support/roots/roots.ts');
    const { JAIL_USER } = await server.ssrLoadModule('/test/support/jail/jail.ts');
    if (rootsMissing) return { missing: rootsMissing };
    const [root, plainRoot] = [await rootFileSystem('bookworm'), await rootFileSystem('bookworm', '.verbatim')];
    return { place: { root, plainRoot, user: JAIL_USER } };
  } finally {
    await server.close();
  }
}

/** @param {Contender[]} all */
function installed(all) {
  return all.filter(({ name, needs }) => {
    const present = !needs || existsSync(needs.file);
    if (!present) console.log(`without ${name}: the Debian package ${needs.package} is not installed`);
    return present;
  });
}

/** @typedef {{ elapsed: number, cpu: number }} Times - in ms, of one start */

/**
 * Has a shell of the user's start the workload, and bash(1) measure that: it is exact where other shells count in ticks of 10 ms.
 * What the workload writes is only looked at for `output`.
 *
 * @param {Contender} contender
 * @param {Workload} workload
 * @param {{ uid: number, gid: number }} user
 * @param {import('node:stream').Writable} [output]
 * @returns {Promise<Times>}
 */
async function start({ command, environment = {}, asRoot }, { argv, times = 1 }, user, output) {
  const measure = '{ time "$@" 2>&4 3>&- 4>&-; } 4>&2 2>&3';
  // Exported in the inner shell, so that it does not reach that itself.
  const exported = Object.entries(environment).map(([name, value]) => `export ${name}='${value}'; `);
  const script = `${exported.join('')}i=0; while [ $i -lt ${times} ]; do "$@" || exit 1; i=$((i+1)); done`;
  const shell = spawn('/bin/bash', ['-c', measure, 'bash', '/bin/sh', '-c', script, 'sh', ...command(argv)], {
    ...(asRoot ? {} : user),
    cwd: '/',
    env: {
      PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      LANG: 'C.UTF-8',
      TIMEFORMAT: '%R %U %S',
      // ImageMagick's threads would measure what else the machine does.
      MAGICK_THREAD_LIMIT: '1',
    },
    stdio: ['ignore', output ? 'pipe' : 'ignore', 'inherit', 'pipe'],
  });
  if (output) shell.stdout?.pipe(output);
  const ended = once(shell, 'close');
  const measured = await /** @type {import('node:stream').Readable} */ (shell.stdio[3]).toArray();
  const [code] = await ended;
  if (code !== 0) throw new Error(`${command(argv).join(' ')} ended with exit code ${code}`);
  const [real = 0, userTime = 0, system = 0] = String(Buffer.concat(measured)).split(' ').map(Number);
  return { elapsed: (real * 1_000) / times, cpu: ((userTime + system) * 1_000) / times };
}

/** @param {Contender} contender @param {Workload} workload @param {{ uid: number, gid: number }} user */
async function outputOf(contender, workload, user) {
  const hash = createHash('sha256');
  await start(contender, workload, user, hash);
  return hash.digest('hex');
}

/**
 * Every contender's times for a workload, round by round; those that do not give chroot's output are left out.
 *
 * @param {Contender[]} all
 * @param {Workload} workload
 * @param {{ uid: number, gid: number }} user
 */
async function race(all, workload, user) {
  /** @type {Map<Contender, Times[]>} */
  const results = new Map();
  let expected;
  for (const contender of all) {
    // This also warms the page cache.
    const output = await outputOf(contender, workload, user);
    expected ??= output;
    if (output === expected) results.set(contender, []);
    else console.log(`${workload.name}: without ${contender.name}, whose output is not that of ${all[0]?.name}`);
  }
  for (let round = 0; round < runs; round += 1) {
    const turns = round % 2 === 0 ? [...results] : [...results].reverse();
    for (const [contender, times] of turns) times.push(await start(contender, workload, user));
  }
  return results;
}

/** Medians of what each contender took in proportion to what chroot took in the same round. @param {Awaited<ReturnType<typeof race>>} results */
function compare(results) {
  const [chroot = []] = results.values();
  /** @param {Times[]} times @param {keyof Times} which */
  const ratio = (times, which) =>
    figure(median(times.map((one, round) => one[which] / (chroot[round]?.[which] ?? Number.NaN))));
  const compared = [...results].map(([{ name }, times]) => [
    name,
    { elapsed: ratio(times, 'elapsed'), cpu: ratio(times, 'cpu') },
  ]);
  return { chrootMs: figure(median(chroot.map(({ elapsed }) => elapsed))), ratios: Object.fromEntries(compared) };
}

/**
 * Median of the first start of `true`, which fills the cache.
 *
 * @param {Contender} inroot
 * @param {{ uid: number, gid: number }} user
 * @param {string} cache
 */
async function firstStart(inroot, user, cache) {
  const ms = [];
  for (let round = 0; round < runs; round += 1) {
    for (const name of readdirSync(cache)) rmSync(join(cache, name));
    ms.push((await start(inroot, { name: 'first', target: Number.NaN, argv: ['/bin/true'] }, user)).elapsed);
  }
  return figure(median(ms));
}

const { place, missing } = await testRoot();
if (!place) {
  console.log(missing);
  console.log(JSON.stringify({ skipped: missing }));
} else {
  const cache = mkdtempSync(join(tmpdir(), 'scar-bench-'));
  const kept = mkdtempSync(join(dirname(place.root), 'scar-bench-'));
  for (const folder of [cache, kept]) chownSync(folder, place.user.uid, place.user.gid);
  try {
    await bench(place, { cache, kept });
  } finally {
    for (const folder of [cache, kept]) rmSync(folder, { recursive: true, force: true });
  }
}

/** @param {Place} place @param {{ cache: string, kept: string }} folders */
async function bench(place, folders) {
  const { user } = place;
  const all = installed(contenders(place, folders));
  const firstMs = await firstStart(/** @type {Contender} */ (all[1]), user, folders.cache);
  const results = [];
  for (const workload of workloads) {
    const { name, target } = workload;
    results.push({ workload: name, target, ...compare(await race(all, workload, user)) });
  }
  const names = all.slice(1).map(({ name }) => name);
  printTable([
    [`ratios to chroot: elapsed (CPU), ${runs} runs`, 'chroot ms', ...names, 'target'],
    ...results.map(({ workload, chrootMs, ratios, target }) => [
      workload,
      chrootMs,
      ...names.map((name) => (ratios[name] ? `${ratios[name].elapsed} (${ratios[name].cpu})` : '-')),
      target,
    ]),
  ]);
  console.log(`inroot's first true, with an empty cache: ${firstMs} ms`);
  console.log(JSON.stringify({ runs, firstMs, results }));
}
