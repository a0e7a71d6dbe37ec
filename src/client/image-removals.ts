import { randomUUID } from 'node:crypto';
import { ScarError } from '../errors.js';
import { linkSignals } from '../util/linked-signal.js';
import type { ClientContext } from './context.js';
import type { ImageStoreAddress } from './image-store.js';

/** A removal lasts no longer than this, in ms. */
const REMOVAL_MS = 60_000;

/** An announced removal that has not ended after this time, in ms, was cut off: more than its own limit and its last request. */
const ABANDONED_MS = 120_000;

const POLL_MS = 500;

/**
 * Removals of images that are under way, announced by empty objects `<prefix>removing/<id>`: nobody may count on an image that is
 * about to go.
 *
 * Who removes announces it, and then looks which images are in use; who uses an image marks it, and then looks for removals.
 * A listing of S3 has what was written before it (https://docs.aws.amazon.com/AmazonS3/latest/userguide/Welcome.html#ConsistencyModel),
 * so that one of the two sees the other: the one leaves the images, or the other waits until they are gone.
 */
export class ImageRemovals {
  readonly #context: ClientContext;
  readonly #bucket: string;
  readonly #root: string;

  constructor(context: ClientContext, { bucket, prefix }: ImageStoreAddress) {
    this.#context = context;
    this.#bucket = bucket;
    this.#root = `${prefix}removing/`;
  }

  /**
   * Announces a removal, and runs it.
   *
   * @throws ScarError `timeout` if it takes so long that others may take it for abandoned
   */
  async announce<T>(remove: (signal: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<T> {
    const { objects } = this.#context;
    const announcement = { bucket: this.#bucket, key: `${this.#root}${randomUUID()}` };
    const limited = linkSignals(signal);
    const end = Date.now() + REMOVAL_MS;
    // By the clock, as a timer does not count the time that a laptop sleeps.
    const watch = setInterval(() => {
      if (Date.now() < end) return;
      limited.abort(
        new ScarError('timeout', `Removing unused images from ${this.#bucket} took more than ${REMOVAL_MS} ms`),
      );
    }, POLL_MS);
    try {
      await objects.write(announcement, '', { signal: limited.signal });
      return await remove(limited.signal);
    } finally {
      clearInterval(watch);
      limited.release();
      await objects.delete(announcement);
    }
  }

  /** Waits until the removals are over that are under way now. Returns whether there were any. */
  async over(signal: AbortSignal): Promise<boolean> {
    let pending = await this.#announced(signal);
    if (pending.length === 0) return false;
    for (let waitedMs = 0; pending.length > 0 && waitedMs < ABANDONED_MS; waitedMs += POLL_MS) {
      await this.#context.sleep(POLL_MS, signal);
      const announced = await this.#announced(signal);
      pending = pending.filter((key) => announced.includes(key));
    }
    await this.#context.objects.deleteAll(this.#bucket, pending, signal);
    return true;
  }

  async #announced(signal: AbortSignal): Promise<string[]> {
    const keys: string[] = [];
    for await (const page of this.#context.objects.list(this.#bucket, { prefix: this.#root, signal })) {
      keys.push(...page.map(({ key }) => key));
    }
    return keys;
  }
}
