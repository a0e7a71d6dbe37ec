import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { CommandError, capture } from '../lib/command.mjs';
import { progressLine } from '../lib/progress-line.mjs';
import { updatePackageLists } from '../setup.mjs';

/** A Debian package that ships photographs (GPL-2+), and where. */
const source = { package: 'mate-backgrounds', folder: 'usr/share/backgrounds/mate/nature' };

/**
 * A folder with a dozen photographs of 1280x1024 to 2560x1920 pixels, unpacked from a Debian package that is not installed.
 *
 * @param {string} cache - folder that keeps them
 */
export async function photographs(cache) {
  const folder = join(cache, 'photographs');
  if (existsSync(folder)) return folder;
  const line = progressLine(`photographs: from Debian's ${source.package}`);
  const work = join(cache, `photographs.${process.pid}.partial`);
  const remove = () => rmSync(work, { recursive: true, force: true });
  process.once('exit', remove);
  try {
    mkdirSync(work, { recursive: true });
    await download(work);
    const archive = readdirSync(work).find((name) => name.endsWith('.deb'));
    await mustRun('dpkg-deb', ['-x', join(work, archive ?? ''), join(work, 'content')]);
    renameSync(join(work, 'content', source.folder), folder);
    line.done();
  } catch (error) {
    line.failed();
    throw error;
  } finally {
    remove();
    process.off('exit', remove);
  }
  return folder;
}

/** @param {string} cwd */
async function download(cwd) {
  // apt's own user cannot write here, and warns.
  const args = ['download', '-q', '-o', 'APT::Sandbox::User=root', source.package];
  const first = await capture('apt-get', args, { cwd });
  if (first?.code === 0) return;
  // The machine may have no package lists (container images come without), or stale ones.
  if (process.getuid?.() === 0) await updatePackageLists();
  await mustRun('apt-get', args, cwd);
}

/**
 * @param {string} file
 * @param {string[]} args
 * @param {string} [cwd]
 */
async function mustRun(file, args, cwd) {
  const result = await capture(file, args, cwd ? { cwd } : {});
  if (result?.code === 0) return;
  throw new CommandError(
    `${file} ${args.join(' ')} failed: ${result?.stderr.trim() ?? 'there is no such program'}. ` +
      'To use photographs of your own: npm run quickstart -- --photographs DIRECTORY',
  );
}
