import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { describe, expect, it } from 'vitest';

/** Who may import whom: the table of docs/architecture.md. A room that is not listed may not exist. */
const allowed: Record<string, readonly string[]> = {
  contract: [],
  util: [],
  errors: ['contract'],
  oci: ['util', 'errors'],
  aws: ['util', 'errors'],
  client: ['contract', 'aws', 'util', 'errors', 'oci'],
  supervisor: ['contract', 'oci', 'aws', 'util', 'errors'],
  local: ['util', 'errors'],
  report: ['contract', 'util'],
  index: ['client', 'local', 'report', 'errors', 'contract'],
};

const root = resolve(import.meta.dirname, '../..');
const files = ['src', 'supervisor'].flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(folder, name)),
);

/** The room a file belongs to: `src/oci/layer.ts` is in `oci`, `supervisor/main.ts` in `supervisor`. */
function room(path: string): string {
  const parts = path.split(sep);
  if (parts[0] === 'supervisor') return 'supervisor';
  return (parts[1] ?? '').replace(/\.ts$/, '');
}

function imports(file: string): string[] {
  const text = readFileSync(join(root, file), 'utf8');
  const specifiers = [...text.matchAll(/(?:from|import)\s*\(?\s*'(\.[^']*)'/g)].map((match) => match[1] ?? '');
  return specifiers.map((specifier) => relative(root, resolve(root, dirname(file), specifier.replace(/\.js$/, '.ts'))));
}

describe('who may import whom', () => {
  it('finds the sources', () => expect(files.length).toBeGreaterThan(8));

  it.each(files)('%s', (file) => {
    const from = room(file);
    const permitted = allowed[from];
    expect(permitted, `${file} is in no known room`).toBeDefined();
    for (const target of imports(file)) {
      const to = room(target);
      if (to !== from) expect(permitted, `${file} imports ${target}`).toContain(to);
    }
  });
});
