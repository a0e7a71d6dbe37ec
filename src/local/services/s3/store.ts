import { mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ServiceError } from '../../protocol/service.js';
import { Bucket, type BucketFacts } from './bucket.js';
import { noSuchBucket } from './errors.js';

/**
 * All buckets, in a folder of the engine's data: `buckets/<name>/` for each, `partial/` for what is not whole yet. Buckets
 * are opened when first used.
 */
export class Store {
  private readonly open = new Map<string, Promise<Bucket>>();
  private readonly facts = new Map<string, BucketFacts>();
  private readonly buckets: string;
  private readonly partial: string;
  private sequence = 0;

  /** @param sweep - whether the process that had the folder before was killed and may have left something half-done */
  constructor(
    directory: string,
    private readonly sweep: boolean,
  ) {
    this.buckets = join(directory, 'buckets');
    this.partial = join(directory, 'partial');
    mkdirSync(this.buckets, { recursive: true });
    if (sweep) rmSync(this.partial, { recursive: true, force: true });
    mkdirSync(this.partial, { recursive: true });
    for (const name of readdirSync(this.buckets)) this.facts.set(name, Bucket.readFacts(join(this.buckets, name)));
  }

  /** By name. */
  list(): BucketFacts[] {
    return [...this.facts.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  has(name: string): boolean {
    return this.facts.has(name);
  }

  create(facts: BucketFacts): void {
    const partial = this.partialName();
    Bucket.create(partial, facts);
    renameSync(partial, join(this.buckets, facts.name));
    this.facts.set(facts.name, facts);
  }

  /** @throws ServiceError `NoSuchBucket` */
  bucket(name: string): Promise<Bucket> {
    if (!this.facts.has(name)) throw noSuchBucket(name);
    let bucket = this.open.get(name);
    if (!bucket) {
      bucket = Bucket.open(join(this.buckets, name), this.partial, this.sweep);
      this.open.set(name, bucket);
      bucket.catch(() => this.open.delete(name));
    }
    return bucket;
  }

  /** @throws ServiceError `BucketNotEmpty` */
  async delete(name: string): Promise<void> {
    const bucket = await this.bucket(name);
    if (bucket.keys.size > 0) {
      throw new ServiceError('BucketNotEmpty', 409, 'The bucket you tried to delete is not empty', {
        fields: { BucketName: name },
      });
    }
    this.facts.delete(name);
    this.open.delete(name);
    const doomed = this.partialName();
    renameSync(join(this.buckets, name), doomed);
    await bucket.close();
    await rm(doomed, { recursive: true, force: true });
  }

  async close(): Promise<void> {
    const opened = await Promise.allSettled(this.open.values());
    for (const result of opened) if (result.status === 'fulfilled') await result.value.close();
  }

  private partialName(): string {
    return join(this.partial, `bucket-${process.pid}-${this.sequence++}`);
  }
}
