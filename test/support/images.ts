import { appendFileSync, existsSync, lstatSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './registry.js';

/** Packages that every Debian has: programs, libraries, hard links (perl), links to folders, modes with setuid. */
const PACKAGES = ['base-files', 'bash', 'coreutils', 'libc6', 'passwd', 'perl-base'];

/** An image in an OCI layout, as skopeo and umoci name it. */
export interface LayoutImage {
  layout: string;
  tag: string;
  /** For our own references: `oci:DIR:TAG`. */
  reference: string;
}

/**
 * A real image of three layers, made by umoci: files of Debian packages as they are on this machine, then changes with
 * whiteouts of files and of whole folders, then changes of types and a folder that comes back.
 */
export function buildLayeredImage(folder: string): LayoutImage {
  const layout = join(folder, 'layout');
  const image = `${layout}:base`;
  run('umoci', ['init', '--layout', layout]);
  run('umoci', ['new', '--image', image]);
  const archive = join(folder, 'packages.tar');
  packageArchive(archive);
  run('umoci', ['raw', 'add-layer', '--image', image, archive]);
  rmSync(archive);
  run('umoci', ['config', '--image', image, '--config.cmd', '/bin/bash', '--config.env', 'PATH=/usr/bin:/bin']);

  changedLayer(folder, image, `${layout}:changed`, (root) => {
    rmSync(join(root, 'usr/share/base-files'), { recursive: true });
    rmSync(join(root, 'etc/debian_version'));
    appendFileSync(join(root, 'etc/issue'), 'changed\n');
    mkdirSync(join(root, 'opt/app'), { recursive: true });
    writeFileSync(join(root, 'opt/app/run'), '#!/bin/sh\n', { mode: 0o755 });
    symlinkSync('/etc/issue', join(root, 'opt/app/issue'));
    symlinkSync('../../../../../etc/issue', join(root, 'opt/app/far'));
  });
  changedLayer(folder, `${layout}:changed`, `${layout}:latest`, (root) => {
    // A file becomes a folder, a folder a file, a link a folder; and one that was hidden comes back with other content.
    rmSync(join(root, 'etc/issue'));
    mkdirSync(join(root, 'etc/issue'));
    writeFileSync(join(root, 'etc/issue/now'), 'a folder\n');
    rmSync(join(root, 'opt/app'), { recursive: true });
    writeFileSync(join(root, 'opt/app'), 'a file\n');
    mkdirSync(join(root, 'usr/share/base-files'));
    writeFileSync(join(root, 'usr/share/base-files/only'), 'this\n');
  });
  return { layout, tag: 'latest', reference: `oci:${layout}:latest` };
}

/** Files of installed packages, as a tar. */
function packageArchive(archive: string): void {
  const listed = PACKAGES.flatMap((name) => run('dpkg-query', ['--listfiles', name]).split('\n'));
  // Packages name files through links (`/lib64/ld...`); the folders behind them would have the time of unpacking.
  const folders = ['/usr', '/usr/lib', '/usr/lib64', '/usr/bin', '/usr/sbin'];
  const names = [...new Set([...folders, ...listed])].filter(
    (path) => path.startsWith('/') && path !== '/.' && existsOnDisk(path),
  );
  run('tar', ['-C', '/', '-cf', archive, '--no-recursion', '--verbatim-files-from', '-T', '-'], {
    input: `${names.map((path) => `.${path}`).join('\n')}\n`,
  });
}

/** Part of what a package lists may have been left out when it was installed, and a link's target need not be. */
function existsOnDisk(path: string): boolean {
  return existsSync(path) || lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

/** Adds a layer with what a change of the files makes of an image, whiteouts among it. */
export function changedLayer(folder: string, from: string, to: string, change: (root: string) => void): void {
  const bundle = join(folder, 'bundle');
  run('umoci', ['unpack', ...rootless(), '--image', from, bundle]);
  change(join(bundle, 'rootfs'));
  run('umoci', ['repack', '--image', to, bundle]);
  run('rm', ['-rf', bundle]);
}

/** umoci's mode for users that are not root. */
export function rootless(): string[] {
  return process.getuid?.() === 0 ? [] : ['--rootless'];
}
