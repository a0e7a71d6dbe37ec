import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Lambda drops events that it could not deliver within six hours. */
const MAX_AGE_MS = 6 * 60 * 60 * 1000;

/** What a queued event carries beside its payload; the first line of its file. */
interface EventHeader {
  readonly functionName: string;
  readonly requestId: string;
  /** Epoch milliseconds. */
  readonly queuedAt: number;
  /** Deliveries that ended with an error. */
  readonly failures: number;
  /** Not to be delivered before; epoch milliseconds. */
  readonly notBefore: number;
  readonly clientContext?: string;
}

interface QueuedEvent {
  readonly file: string;
  readonly header: EventHeader;
}

/** How a delivery ended: `failed` counts as an error of the function, `gone` means that there is no such function. */
export type DeliveryOutcome = 'done' | 'failed' | 'gone';

/** What the queue needs to deliver. */
export interface Delivery {
  /** Whether the function could start an invocation now. */
  hasRoom(functionName: string): boolean;
  deliver(event: {
    functionName: string;
    requestId: string;
    payload: Buffer;
    clientContext?: string;
  }): Promise<DeliveryOutcome>;
}

/**
 * The queue before asynchronous invocations (https://docs.aws.amazon.com/lambda/latest/dg/invocation-async.html). An
 * event that is in it survives a kill of the engine: each is a file until its delivery is over, so one that was being
 * delivered comes twice, as Lambda's may. Events wait for free concurrency; after an error they come again.
 */
export class AsyncQueue {
  readonly #folder: string;
  readonly #retryDelaysMs: readonly number[];
  readonly #delivery: Delivery;
  readonly #onError: (error: unknown) => void;
  readonly #waiting = new Map<string, QueuedEvent[]>();
  #sequence = 0;
  #timer: NodeJS.Timeout | undefined;
  #running = false;

  /**
   * @param onError - told when the engine, not the function, made a delivery fail
   * @param retryDelaysMs - the wait after the first error, after the second, ...; as many retries as there are delays
   */
  constructor(folder: string, retryDelaysMs: readonly number[], delivery: Delivery, onError: (error: unknown) => void) {
    this.#onError = onError;
    this.#folder = folder;
    this.#retryDelaysMs = retryDelaysMs;
    this.#delivery = delivery;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    this.#recover();
  }

  /** Begins to deliver. */
  start(): void {
    this.#running = true;
    this.pump();
  }

  /** Takes an event in; it is on disk when this returns. */
  add(event: { functionName: string; requestId: string; payload: Uint8Array; clientContext?: string }): void {
    const now = Date.now();
    const { payload, ...named } = event;
    this.#write({ ...named, queuedAt: now, failures: 0, notBefore: now }, payload);
    this.pump();
  }

  /** Delivers what is due and has room; to be called whenever concurrency becomes free. */
  pump(): void {
    if (!this.#running) return;
    const now = Date.now();
    let next = Number.POSITIVE_INFINITY;
    for (const [name, events] of this.#waiting) {
      for (const event of [...events]) {
        if (event.header.notBefore > now) next = Math.min(next, event.header.notBefore);
        else if (now - event.header.queuedAt > MAX_AGE_MS) this.#drop(event);
        else if (this.#delivery.hasRoom(name)) void this.#deliver(event);
        else break;
      }
    }
    clearTimeout(this.#timer);
    if (Number.isFinite(next)) this.#timer = setTimeout(() => this.pump(), next - now).unref();
  }

  /** Drops all events of a function that was deleted. */
  discard(functionName: string): void {
    for (const event of this.#waiting.get(functionName) ?? []) rmSync(event.file, { force: true });
    this.#waiting.delete(functionName);
  }

  /** Nothing is delivered any more; what waits stays on disk for the next engine. */
  close(): void {
    this.#running = false;
    clearTimeout(this.#timer);
  }

  async #deliver(event: QueuedEvent): Promise<void> {
    this.#remove(event);
    const { header, payload } = readEvent(event.file);
    // Where no environment can be had, e.g. as the disk is full, a later attempt may find one.
    const outcome = await this.#delivery.deliver({ ...header, payload }).catch((error): DeliveryOutcome => {
      this.#onError(error);
      return 'failed';
    });
    // What was cut off by the engine's own end is not over.
    if (!this.#running) return;
    const delay = outcome === 'failed' ? this.#retryDelaysMs[header.failures] : undefined;
    if (delay !== undefined) {
      this.#write({ ...header, failures: header.failures + 1, notBefore: Date.now() + delay }, payload);
    }
    rmSync(event.file, { force: true });
    this.pump();
  }

  #write(header: EventHeader, payload: Uint8Array): void {
    const file = join(this.#folder, `${Date.now()}-${String(this.#sequence++).padStart(9, '0')}-${header.requestId}`);
    writeFileSync(`${file}.new`, Buffer.concat([Buffer.from(`${JSON.stringify(header)}\n`), payload]), { mode: 0o600 });
    renameSync(`${file}.new`, file);
    this.#insert({ file, header });
  }

  #insert(event: QueuedEvent): void {
    const events = this.#waiting.get(event.header.functionName) ?? [];
    events.push(event);
    this.#waiting.set(event.header.functionName, events);
  }

  #remove(event: QueuedEvent): void {
    const events = this.#waiting.get(event.header.functionName);
    const index = events?.indexOf(event) ?? -1;
    if (index >= 0) events?.splice(index, 1);
  }

  #drop(event: QueuedEvent): void {
    this.#remove(event);
    rmSync(event.file, { force: true });
  }

  #recover(): void {
    for (const name of readdirSync(this.#folder).sort()) {
      const file = join(this.#folder, name);
      if (name.endsWith('.new')) rmSync(file);
      else this.#insert({ file, header: readEvent(file).header });
    }
  }
}

function readEvent(file: string): { header: EventHeader; payload: Buffer } {
  const content = readFileSync(file);
  const end = content.indexOf('\n');
  return { header: JSON.parse(content.toString('utf8', 0, end)), payload: content.subarray(end + 1) };
}
