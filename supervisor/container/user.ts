import { readFileSync } from 'node:fs';
import { Failure } from '../failure.js';
import type { FileView } from './file-view.js';

/** Who a container runs as. */
export interface User {
  uid: number;
  gid: number;
  /** Supplementary groups. */
  groups: number[];
}

/**
 * Looks an image's USER (`name`, `uid`, either with `:group`) up in its /etc/passwd and /etc/group, by Docker's rules
 * (moby/sys, user.GetExecUser): digits are an ID, and a user's supplementary groups count unless a group is named.
 *
 * @throws Failure `not-started` for a name that is in neither
 */
export function imageUser(spec: string | undefined, files: FileView): User & { home: string } {
  const [name, group] = (spec ?? '').split(':');
  const user = readTable('/etc/passwd', files).find(matches(name || '0'));
  const uid = id(user?.[2]) ?? id(name || '0') ?? (name === 'root' ? 0 : undefined);
  if (uid === undefined) throw unknown(spec, '/etc/passwd');
  const home = user?.[5] || (uid === 0 ? '/root' : '/');
  const groups = readTable('/etc/group', files);
  if (!group) {
    const memberships = groups.filter(([, , , members]) => user && members?.split(',').includes(user[0] ?? ''));
    return { uid, gid: id(user?.[3]) ?? 0, groups: memberships.flatMap(([, , gid]) => id(gid) ?? []), home };
  }
  const gid = id(groups.find(matches(group))?.[2]) ?? id(group);
  if (gid === undefined) throw unknown(spec, '/etc/group');
  return { uid, gid, groups: [], home };
}

/** Finds an entry by its name, or by its ID if that is what is wanted. */
function matches(wanted: string): (entry: readonly string[]) => boolean {
  const number = id(wanted);
  return ([name, , own]) => (number === undefined ? name === wanted : id(own) === number);
}

/** Docker takes as many (moby/sys, user.maxID); undefined for what is no ID. */
function id(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,10}$/.test(text) && Number(text) < 2 ** 31 ? Number(text) : undefined;
}

function unknown(spec: string | undefined, file: string): Failure {
  return new Failure('not-started', `The image's USER ${spec} must be numbers, or names that are in its ${file}`);
}

function readTable(path: string, files: FileView): string[][] {
  const host = files.resolve(path);
  if (host === undefined) return [];
  try {
    return readFileSync(host, 'utf8')
      .split('\n')
      .map((line) => line.split(':'));
  } catch {
    return [];
  }
}
