import { lstatSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { type LinkForm, runnersLinks } from '../../src/oci/rootfs/link-target.js';

/** Linux gives up after as many symbolic links (path_resolution(7)). */
const MAX_LINKS = 40;

/**
 * The container's files as the host sees them: a root file system with folders and files bound over it. Symbolic links
 * are followed as the container would, so that none leads out of it.
 */
export class FileView {
  readonly #rootfs: string;
  readonly #binds: readonly { host: string; container: string }[];
  readonly #links: LinkForm;

  /**
   * @param binds - the longest one that matches counts
   * @param links - how links are written in the rootfs
   */
  constructor(rootfs: string, binds: readonly { host: string; container: string }[], links = runnersLinks([])) {
    this.#rootfs = rootfs;
    this.#links = links;
    this.#binds = [...binds].sort((a, b) => b.container.length - a.container.length);
  }

  /**
   * Host path of a path of the container, with every link followed; what does not exist is appended as it is. Undefined
   * for a circle of links.
   */
  resolve(path: string): string | undefined {
    const pending = segments(path);
    let resolved: string[] = [];
    for (let links = 0; pending.length > 0; ) {
      const segment = pending.shift() ?? '';
      if (segment === '..') {
        resolved.pop();
        continue;
      }
      const target = readLink(this.#host([...resolved, segment]));
      if (target === undefined) {
        resolved.push(segment);
        continue;
      }
      if (++links > MAX_LINKS) return undefined;
      const meaning = this.#guest(target);
      if (meaning.startsWith('/')) resolved = [];
      pending.unshift(...segments(meaning));
    }
    return this.#host(resolved);
  }

  /** What a link's target is to the container; the runner stores absolute ones as paths of the host (supervisor/inroot/links.h). */
  #guest(target: string): string {
    for (const { host, container } of [...this.#binds, { host: this.#rootfs, container: '' }]) {
      if (target === host || target.startsWith(`${host}/`)) return container + target.slice(host.length) || '/';
    }
    return this.#links.original(target);
  }

  #host(path: readonly string[]): string {
    const guest = `/${path.join('/')}`;
    for (const { host, container } of this.#binds) {
      if (guest === container || guest.startsWith(`${container}/`)) return join(host, guest.slice(container.length));
    }
    return join(this.#rootfs, guest);
  }
}

function segments(path: string): string[] {
  return path.split('/').filter((segment) => segment !== '' && segment !== '.');
}

function readLink(host: string): string | undefined {
  if (!lstatSync(host, { throwIfNoEntry: false })?.isSymbolicLink()) return undefined;
  return readlinkSync(host);
}
