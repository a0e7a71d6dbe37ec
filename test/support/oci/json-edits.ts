import fc from 'fast-check';

/** A change of a document: of the value at a place, which is a share of all of its values; or of its text. */
export type JsonEdit =
  | { place: number; value: unknown }
  | { place: number; remove: true }
  | { at: number; text: string };

const share = fc.integer({ min: 0, max: 1000 });

/** What documents have in places where something else is expected. */
const VALUES: readonly unknown[] = [
  ...[null, true, 0, -1, 1.5, 2 ** 53, 1e308, '', '\0', '..', '/etc/passwd', [], {}, [null], [[]], { length: 1 }],
  ...[
    'sha256:',
    `sha256:${'0'.repeat(64)}`,
    `sha256:${'A'.repeat(64)}`,
    `sha512:${'0'.repeat(128)}`,
    `md5:${'0'.repeat(32)}`,
  ],
  ...['sha256:../../../etc/passwd', 'linux', 'amd64', 'unknown', '1', '__proto__', 'x'.repeat(10_000)],
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v1+prettyjws',
  'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip',
  'application/vnd.oci.image.layer.v1.tar+encrypted',
  'application/vnd.oci.image.layer.v1.tar+zstd',
];

export const jsonEdit: fc.Arbitrary<JsonEdit> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ place: share, value: fc.oneof(fc.constantFrom(...VALUES), fc.jsonValue()) }) },
  { weight: 2, arbitrary: fc.record({ place: share, remove: fc.constant(true as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      at: share,
      text: fc.constantFrom('', '}', '"', '\0', '\ufeff', ',', '{"a":', '"layers":[],', '"manifests":[],'),
    }),
  },
);

/** The document's bytes, after its edits. */
export function editedJson(document: unknown, edits: readonly JsonEdit[]): Buffer {
  const changed = { document: structuredClone(document) };
  for (const edit of edits) if (!('at' in edit)) change(changed, edit);
  let text = JSON.stringify(changed.document) ?? '';
  for (const edit of edits) {
    if (!('at' in edit)) continue;
    const at = Math.floor((text.length * edit.at) / 1001);
    text = text.slice(0, at) + edit.text + text.slice(at + 1);
  }
  return Buffer.from(text);
}

function change(changed: Record<string, unknown>, edit: Exclude<JsonEdit, { at: number }>): void {
  const places = [...placesOf(changed)];
  const [parent, key] = places[Math.floor((places.length * edit.place) / 1001)] ?? [changed, 'document'];
  if ('value' in edit)
    parent[key] = structuredClone(edit.value); // else it could come to lie in itself
  else delete parent[key];
}

function* placesOf(value: unknown): Generator<[Record<string, unknown>, string]> {
  if (typeof value !== 'object' || value === null) return;
  for (const key of Object.keys(value)) {
    const parent = value as Record<string, unknown>;
    yield [parent, key];
    yield* placesOf(parent[key]);
  }
}
