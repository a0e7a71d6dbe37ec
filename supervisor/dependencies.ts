import type { Writable } from 'node:stream';
import type { ObjectStore } from '../src/aws/object-store.js';
import { sleep } from '../src/util/sleep.js';
import type { Config } from './config.js';
import { type BringRootfs, bringRootfs } from './container/bring-rootfs.js';
import { chooseRunner, probeAbilities } from './container/choose-runner.js';
import { ImageCache } from './container/image-cache.js';
import { Launcher } from './container/launcher.js';
import type { Runner } from './container/runner.js';
import { Scratch } from './scratch.js';

/** What an invocation works with. Everything that costs time to make is made when it is first asked for. */
export interface Dependencies {
  readonly config: Config;
  /** The function's log. */
  readonly log: Writable;
  readonly scratch: Scratch;
  readonly images: ImageCache;
  readonly launcher: Launcher;
  store(): Promise<ObjectStore>;
  bringRootfs: BringRootfs;
  runner(): Promise<Runner>;
}

/** The real ones. */
export function dependencies(config: Config, log: Writable): Dependencies {
  const scratch = new Scratch(config.scratch);
  let store: Promise<ObjectStore> | undefined;
  let runner: Promise<Runner> | undefined;
  const own: Dependencies = {
    config,
    log,
    scratch,
    images: new ImageCache({ folder: scratch.images, log, freeBytes: () => scratch.freeBytes() }),
    launcher: new Launcher(scratch.launcher),
    store: () => {
      store ??= makeStore(config);
      return store;
    },
    bringRootfs: (place) => {
      const { spec, packageFolder } = config;
      return bringRootfs({ spec, packageFolder, store: own.store, log, sleep }, place);
    },
    runner: () => {
      runner ??= makeRunner(own);
      return runner;
    },
  };
  return own;
}

async function makeRunner({ config, scratch, launcher, log }: Dependencies): Promise<Runner> {
  const executable = await scratch.installRunner(config.runner);
  const { runner, because } = chooseRunner(executable, await probeAbilities(executable, launcher), config.spec.runner);
  log.write(`scar: ${because}\n`);
  return runner;
}

async function makeStore({ customEndpoint }: Config): Promise<ObjectStore> {
  const [{ S3Client }, { objectStore }] = await Promise.all([import('@aws-sdk/client-s3'), import('../src/aws/s3.js')]);
  // A function's bucket may lie in another Region; at an endpoint of its own, buckets have no host names.
  return objectStore(new S3Client({ followRegionRedirects: true, forcePathStyle: customEndpoint }));
}
