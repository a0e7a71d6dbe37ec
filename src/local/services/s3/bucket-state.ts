import type { Entry } from './journal.js';
import type { Blob, ObjectRecord, PartRecord, UploadRecord } from './record.js';

/** A multipart upload under way, with the parts that have come, by number. */
export interface Upload {
  readonly id: string;
  readonly record: UploadRecord;
  readonly parts: ReadonlyMap<number, PartRecord>;
}

/** Everything that can happen to a bucket's objects: the lines of its journal. */
export type Change =
  | readonly [kind: 'put', key: string, record: ObjectRecord]
  | readonly [kind: 'delete', key: string]
  | readonly [kind: 'begin', uploadId: string, record: UploadRecord]
  | readonly [kind: 'part', uploadId: string, part: PartRecord]
  | readonly [kind: 'abort', uploadId: string]
  | readonly [kind: 'complete', uploadId: string, key: string, record: ObjectRecord];

/** Objects and uploads as the changes so far have made them. Applying a change twice is the same as once. */
export class BucketState {
  readonly objects = new Map<string, ObjectRecord>();
  readonly uploads = new Map<string, Upload & { readonly parts: Map<number, PartRecord> }>();

  apply(change: Change): void {
    switch (change[0]) {
      case 'put':
        this.objects.set(change[1], change[2]);
        break;
      case 'delete':
        this.objects.delete(change[1]);
        break;
      case 'begin':
        this.uploads.set(change[1], { id: change[1], record: change[2], parts: new Map() });
        break;
      case 'part':
        this.uploads.get(change[1])?.parts.set(change[2].number, change[2]);
        break;
      case 'abort':
        this.uploads.delete(change[1]);
        break;
      case 'complete':
        this.uploads.delete(change[1]);
        this.objects.set(change[2], change[3]);
        break;
    }
  }

  /** For the journal's replay, which has lines of any kind. */
  replay(entry: Entry): void {
    this.apply(entry as unknown as Change);
  }

  /** How many changes would make this state from nothing. */
  get size(): number {
    let parts = 0;
    for (const upload of this.uploads.values()) parts += upload.parts.size + 1;
    return this.objects.size + parts;
  }

  /** The changes that make this state, each as things stand when it is drawn; changes meanwhile do no harm. */
  *changes(keys: readonly string[]): Generator<Change> {
    for (const [id, { record, parts }] of [...this.uploads]) {
      yield ['begin', id, record];
      for (const part of [...parts.values()]) yield ['part', id, part];
    }
    for (const key of keys) {
      const record = this.objects.get(key);
      if (record) yield ['put', key, record];
    }
  }

  /** The IDs of all blobs in use. */
  blobIds(): Set<string> {
    const ids = new Set<string>();
    const add = (blobs: readonly Blob[]) => {
      for (const [id] of blobs) ids.add(id);
    };
    for (const record of this.objects.values()) add(record.blobs);
    for (const { parts } of this.uploads.values()) for (const part of parts.values()) add(part.blobs);
    return ids;
  }
}
