import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { verbatimLinks } from '../../src/oci/index.js';
import { registryMissing } from '../support/registry.js';
import { rootsMissing } from '../support/roots/roots.js';
import { temporaryFolder } from '../support/temporary.js';
import { differences, umociMissing, unpack, unpackWithUmoci } from '../support/umoci/comparison.js';
import { readFacts } from '../support/umoci/facts.js';
import { comparedImages } from './compared.js';
import { type ComparedResult, umociTable } from './umoci-table.js';

const root = process.getuid?.() === 0 ? undefined : 'needs root, as umoci keeps more then';
const missing = umociMissing ?? registryMissing ?? rootsMissing ?? root;

const results: ComparedResult[] = [];

// Only a whole run makes a table.
afterAll(() => {
  if (results.length !== comparedImages.length) return;
  writeFileSync(resolve(import.meta.dirname, '../../docs/umoci.md'), umociTable(results));
});

describe.skipIf(missing)(missing ?? 'file by file what umoci unpacks', () => {
  it.each(comparedImages)('$name', async ({ name, content, make }) => {
    await using folder = await temporaryFolder();
    const { image, reference = `oci:${image}` } = await make(folder.path);
    const theirs = await unpackWithUmoci(image, join(folder.path, 'umoci'));
    const rootfs = join(folder.path, 'ours');
    const { layers, bytes } = await unpack(reference, rootfs, { links: verbatimLinks });
    const found = differences(readFacts(rootfs), theirs);
    results.push({ name, content, layers, bytes, ...found });
    expect(found.unexplained).toEqual([]);
  });
});
