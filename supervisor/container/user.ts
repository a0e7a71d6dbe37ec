import { readFileSync } from 'node:fs';
import type { FileView } from './file-view.js';

/** The user that an image wants to run as. Nobody can be switched to in a function; its home is still where HOME points. */
export interface ImageUser {
  /** As the image names it, without a group; empty for root. */
  name: string;
  isRoot: boolean;
  home: string;
}

/** Looks an image's USER (`name`, `uid`, either with `:group`) up in its /etc/passwd, as Docker does for HOME. */
export function imageUser(user: string | undefined, files: FileView): ImageUser {
  const name = (user ?? '').split(':')[0] ?? '';
  const wanted = name === '' ? 'root' : name;
  const entry = readPasswd(files).find(([login, , uid]) => login === wanted || uid === wanted);
  const isRoot = wanted === 'root' || wanted === '0' || entry?.[2] === '0';
  return { name, isRoot, home: entry?.[5] || (isRoot ? '/root' : '/') };
}

function readPasswd(files: FileView): string[][] {
  const host = files.resolve('/etc/passwd');
  if (host === undefined) return [];
  try {
    return readFileSync(host, 'utf8')
      .split('\n')
      .map((line) => line.split(':'));
  } catch {
    return [];
  }
}
