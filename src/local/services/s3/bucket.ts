import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeFileAtomically } from '../../../util/atomic-file.js';
import { BlobStore } from './blob-store.js';
import { BucketState, type Change, type Upload } from './bucket-state.js';
import { noSuchBucket } from './errors.js';
import { Journal } from './journal.js';
import type { NotificationRule } from './notification-rule.js';
import type { ObjectRecord, PartRecord, UploadRecord } from './record.js';
import { SortedKeys } from './sorted-keys.js';

/** What a bucket is beside its objects: a small file of its own, `bucket.json`. */
export interface BucketFacts {
  readonly name: string;
  /** Milliseconds since the epoch. */
  readonly created: number;
  readonly notifications: readonly NotificationRule[];
}

/** Throws when the present state of a key forbids a change. */
export type Precondition = (current: ObjectRecord | undefined) => void;

/** The journal is rewritten when lines that are no longer true outnumber the others by this many. */
const COMPACTION_SLACK = 10_000;

/**
 * The objects of one bucket: records in memory and in the journal, data in blobs.
 *
 * A change is checked, written to the journal and made in memory in one turn of the event loop. So of two conditional
 * writes at the same time exactly one succeeds, and what has been answered outlives the process.
 */
export class Bucket {
  readonly keys: SortedKeys;
  private compaction: Promise<void> | undefined;
  private closed = false;

  private constructor(
    private readonly directory: string,
    private currentFacts: BucketFacts,
    readonly blobs: BlobStore,
    private readonly journal: Journal,
    private readonly state: BucketState,
  ) {
    this.keys = new SortedKeys(state.objects.keys());
  }

  /** Makes the folder of a new bucket. */
  static create(directory: string, facts: BucketFacts): void {
    mkdirSync(join(directory, 'data'), { recursive: true });
    writeFileAtomically(join(directory, 'bucket.json'), JSON.stringify(facts));
  }

  static readFacts(directory: string): BucketFacts {
    return JSON.parse(readFileSync(join(directory, 'bucket.json'), 'utf8')) as BucketFacts;
  }

  /** @param sweep - whether to look for data that a killed process left unlisted */
  static async open(directory: string, temporary: string, sweep: boolean): Promise<Bucket> {
    const state = new BucketState();
    const facts = Bucket.readFacts(directory);
    const journal = await Journal.open(join(directory, 'journal'), (entry) => state.replay(entry));
    const blobs = new BlobStore(join(directory, 'data'), temporary);
    if (sweep) {
      const listed = state.blobIds();
      blobs.sweep((id) => listed.has(id));
    }
    const bucket = new Bucket(directory, facts, blobs, journal, state);
    bucket.compactIfWorthwhile();
    return bucket;
  }

  get facts(): BucketFacts {
    return this.currentFacts;
  }

  setNotifications(notifications: readonly NotificationRule[]): void {
    const facts = { ...this.currentFacts, notifications };
    writeFileAtomically(join(this.directory, 'bucket.json'), JSON.stringify(facts));
    this.currentFacts = facts;
  }

  get(key: string): ObjectRecord | undefined {
    return this.state.objects.get(key);
  }

  /** Makes or replaces an object. If the precondition throws, nothing has changed. */
  put(key: string, record: ObjectRecord, precondition?: Precondition): void {
    const current = this.get(key);
    precondition?.(current);
    this.make([['put', key, record]]);
    this.replaced(key, current, record);
  }

  /** Removes objects, and says which there were. */
  delete(keys: readonly string[]): ReadonlyMap<string, ObjectRecord> {
    const removed = new Map<string, ObjectRecord>();
    for (const key of keys) {
      const record = this.get(key);
      if (record) removed.set(key, record);
    }
    if (removed.size > 0) this.make([...removed.keys()].map((key) => ['delete', key]));
    for (const [key, record] of removed) {
      this.keys.delete(key);
      this.blobs.remove(record.blobs);
    }
    return removed;
  }

  get uploads(): Iterable<Upload> {
    return this.state.uploads.values();
  }

  upload(id: string): Upload | undefined {
    return this.state.uploads.get(id);
  }

  beginUpload(id: string, record: UploadRecord): void {
    this.make([['begin', id, record]]);
  }

  putPart(uploadId: string, part: PartRecord): void {
    const current = this.upload(uploadId)?.parts.get(part.number);
    this.make([['part', uploadId, part]]);
    if (current) this.blobs.remove(current.blobs);
  }

  abortUpload(id: string): void {
    const parts = [...(this.upload(id)?.parts.values() ?? [])];
    this.make([['abort', id]]);
    for (const part of parts) this.blobs.remove(part.blobs);
  }

  /** Turns an upload into an object, which takes over the blobs of the parts that its record lists. */
  completeUpload(id: string, key: string, record: ObjectRecord, precondition?: Precondition): void {
    const current = this.get(key);
    precondition?.(current);
    const parts = [...(this.upload(id)?.parts.values() ?? [])];
    this.make([['complete', id, key, record]]);
    const used = new Set(record.blobs.map(([blobId]) => blobId));
    for (const part of parts) this.blobs.remove(part.blobs.filter(([blobId]) => !used.has(blobId)));
    this.replaced(key, current, record);
  }

  /** Changes that are still under way fail: as after the deletion of the bucket, there is no such bucket. */
  async close(): Promise<void> {
    this.closed = true;
    this.blobs.close();
    await this.compaction;
    this.journal.close();
  }

  private make(changes: readonly Change[]): void {
    if (this.closed) throw noSuchBucket(this.facts.name);
    this.journal.append(changes);
    for (const change of changes) this.state.apply(change);
    this.compactIfWorthwhile();
  }

  private replaced(key: string, before: ObjectRecord | undefined, after: ObjectRecord): void {
    if (!before) {
      this.keys.add(key);
      return;
    }
    const kept = new Set(after.blobs.map(([id]) => id));
    this.blobs.remove(before.blobs.filter(([id]) => !kept.has(id)));
  }

  private compactIfWorthwhile(): void {
    const { entries } = this.journal;
    const isWorthwhile = (live: number) => entries > 2 * live + COMPACTION_SLACK;
    // The exact size is asked for only when the objects alone do not settle it.
    if (this.compaction || !isWorthwhile(this.state.objects.size) || !isWorthwhile(this.state.size)) return;
    const keys = [...this.keys.from(() => false)];
    this.compaction = this.journal
      .rewrite(this.state.changes(keys))
      // The old journal is still good; the next change tries again.
      .catch(() => {})
      .finally(() => {
        this.compaction = undefined;
      });
  }
}
