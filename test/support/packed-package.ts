import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, symlinkSync } from 'node:fs';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '../..');

/** Packs what would be published, and unpacks it into a project of its own with our dependencies beside it. */
export function installPacked(folder: string): { project: string; packageFolder: string; files: string[] } {
  const [packed] = JSON.parse(
    execFileSync('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder], {
      cwd: root,
      encoding: 'utf8',
    }),
  ) as { filename: string; files: { path: string }[] }[];
  if (!packed) throw new Error('npm pack packed nothing');
  const project = join(folder, 'project');
  const modules = join(project, 'node_modules');
  const packageFolder = join(modules, 'scar-client');
  mkdirSync(packageFolder, { recursive: true });
  execFileSync('tar', ['-xzf', join(folder, packed.filename), '-C', packageFolder, '--strip-components=1']);
  for (const name of readdirSync(join(root, 'node_modules'))) {
    if (!name.startsWith('.')) symlinkSync(join(root, 'node_modules', name), join(modules, name));
  }
  return { project, packageFolder, files: packed.files.map(({ path }) => path) };
}
