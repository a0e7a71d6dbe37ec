import { appendFileSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildLayeredImage, changedLayer } from '../support/images.js';
import { MemoryImage, writeLayout } from '../support/memory-image.js';
import { run, skopeoCopy } from '../support/registry.js';
import { oddImages, oddLayout } from '../support/umoci/odd-images.js';
import { crowdedLayers } from '../support/umoci/odd-layers.js';
import { amd64Images, type ImageName, imageContent, makeImage } from './images.js';

/** An image for umoci and for us. */
export interface ComparedImage {
  name: string;
  /** What is in it, in a few words. */
  content: string;
  /** Makes it. What it makes below the folder may be removed afterwards. */
  make(folder: string): Promise<ImagePlace>;
}

interface ImagePlace {
  /** As umoci names it: `DIR:TAG`. */
  image: string;
  /** For us; default: the same one. */
  reference?: string;
}

/** What the odd ones are about. */
const oddContents: Record<keyof typeof oddImages, string> = {
  special:
    'setuid, setgid and sticky bits, modes without the owner, capabilities, owners, devices, pipes, `/dev`, times',
  types: 'every kind of entry in place of every other, and under whiteouts',
  'types and back': 'the same with a layer that brings the first ones back, or a whiteout',
  whiteouts: 'whiteouts and opaque ones: before and after their layer’s entries, without folders, through links',
  'whiteout of all': 'the same, then an opaque root, an empty archive, a layer of 0 bytes',
  'hard links': 'hard links to lower layers, through links, over other files',
  'hard links gone': 'the same, with names that go, change and come back',
  'many layers': '100 layers that add, change, link and remove',
  names: 'names that are not UTF-8, of 255 bytes, paths of 1,000, with line breaks; ustar, GNU and PAX',
  sparse: 'sparse files in the three formats of PAX, 60 segments and only holes',
};

/** All of them. */
export const comparedImages: readonly ComparedImage[] = [
  ...amd64Images.map((name) => ({ name, content: imageContent(name), make: (folder: string) => made(name, folder) })),
  {
    name: 'upgraded',
    content:
      'Debian 11 that becomes 12 and 13, loses and gets packages by dpkg, and becomes 12; `umoci repack`, `umoci insert`',
    make: upgraded,
  },
  {
    name: 'packages, zstd',
    content: 'packages of this machine, changes by `umoci repack`; for us in zstd',
    async make(folder) {
      const { layout, tag } = buildLayeredImage(folder);
      const reference = `oci:${join(folder, 'zstd')}:latest`;
      await skopeoCopy(`oci:${layout}:${tag}`, reference, '--dest-compress-format', 'zstd');
      return { image: `${layout}:${tag}`, reference };
    },
  },
  { name: 'crowded', content: '100,000 files in one layer; whiteouts', make: (folder) => odd(folder, crowdedLayers()) },
  ...Object.entries(oddImages).map(([name, layers]) => ({
    name,
    content: oddContents[name as keyof typeof oddImages],
    make: (folder: string) => odd(folder, layers(folder)),
  })),
];

async function made(name: ImageName, folder: string): Promise<ImagePlace> {
  const image = await makeImage(name);
  if (image instanceof MemoryImage) {
    await writeLayout(image, join(folder, 'layout'), 'latest');
    return { image: `${join(folder, 'layout')}:latest` };
  }
  return { image: image.replace('oci:', '') };
}

async function odd(folder: string, layers: Buffer[]): Promise<ImagePlace> {
  await oddLayout(join(folder, 'layout'), layers);
  return { image: `${join(folder, 'layout')}:latest` };
}

/** Layers as they come from a system's upgrades: each has what the one before has not, and whiteouts of the rest. */
async function upgraded(folder: string): Promise<ImagePlace> {
  const layout = join(folder, 'layout');
  await skopeoCopy(await reference('debian-11'), `oci:${layout}:0`);
  await becomes('debian-12', 1);
  await becomes('debian-13', 2);
  changedLayer(folder, `${layout}:2`, `${layout}:3`, exchangePackages);
  await becomes('debian-12', 4);
  // umoci repack writes no opaque whiteouts.
  const documents = join(folder, 'documents');
  mkdirSync(documents);
  writeFileSync(join(documents, 'README'), 'All that is left.\n');
  run('umoci', ['insert', '--image', `${layout}:4`, '--opaque', documents, '/usr/share/doc']);
  run('umoci', ['insert', '--image', `${layout}:4`, '--whiteout', '/usr/share/perl5']);
  return { image: `${layout}:4` };

  async function becomes(name: ImageName, number: number): Promise<void> {
    const bundle = join(folder, name);
    run('umoci', ['unpack', '--image', (await reference(name)).replace('oci:', ''), bundle]);
    changedLayer(folder, `${layout}:${number - 1}`, `${layout}:${number}`, (root) => {
      for (const entry of readdirSync(root)) rmSync(join(root, entry), { recursive: true });
      run('cp', ['-a', `${join(bundle, 'rootfs')}/.`, root]);
    });
    rmSync(bundle, { recursive: true });
  }
}

async function reference(name: ImageName): Promise<string> {
  const image = await makeImage(name);
  if (typeof image !== 'string') throw new Error(`${name} is in no layout on the disk`);
  return image;
}

/** Takes packages away and brings one in, with their scripts. */
function exchangePackages(root: string): void {
  const control = join(root, 'tmp/package/DEBIAN');
  mkdirSync(control, { recursive: true });
  mkdirSync(join(root, 'tmp/package/usr/libexec'), { recursive: true });
  appendFileSync(
    join(control, 'control'),
    'Package: exchanged\nVersion: 1\nArchitecture: all\nMaintainer: nobody <nobody@example.org>\nDescription: a test\n',
  );
  writeFileSync(join(root, 'tmp/package/usr/libexec/exchanged'), '#!/bin/sh\n', { mode: 0o4755 });
  const dpkg = (...args: string[]): string => run('chroot', [root, 'dpkg', ...args]);
  dpkg('--build', '/tmp/package', '/tmp/package.deb');
  dpkg('--install', '/tmp/package.deb');
  const unneeded = ['login', 'mount', 'passwd', 'perl-base', 'util-linux'];
  dpkg('--purge', '--force-depends', '--force-remove-essential', '--force-remove-protected', ...unneeded);
}
