import { rmSync } from 'node:fs';
import { writeFileAtomically } from '../../../util/atomic-file.js';
import { type EventQuery, GroupFile, type StoredEvent } from './group-file.js';

/** What is kept of a group beside its events; a JSON file. */
export interface GroupFacts {
  readonly name: string;
  /** Epoch milliseconds. */
  readonly created: number;
  /** Undefined: for ever. */
  readonly retentionDays?: number;
  readonly tags: Readonly<Record<string, string>>;
}

/** What is kept in memory of a stream. Times in epoch milliseconds, of events that there are. */
export interface LogStream {
  readonly id: number;
  readonly name: string;
  readonly created: number;
  firstTimestamp?: number;
  lastTimestamp?: number;
  lastIngestion?: number;
}

/** What was just appended to a stream. */
export type AppendedEvents = readonly { readonly timestamp: number; readonly message: string }[];

/** Hears of what is appended, as it is. */
export type GroupWatcher = (streamName: string, ingestionTime: number, events: AppendedEvents) => void;

const DAY_MS = 24 * 60 * 60 * 1000;

/** One log group: its facts, its streams and the file of their events. */
export class LogGroup {
  readonly #path: string;
  #facts: GroupFacts;
  #file: GroupFile | undefined;
  readonly #streams = new Map<string, LogStream>();
  readonly #names = new Map<number, LogStream>();
  readonly #watchers = new Set<GroupWatcher>();
  #nextId = 0;

  /** @param path - of its files, without their suffixes */
  constructor(path: string, facts: GroupFacts) {
    this.#path = path;
    this.#facts = facts;
  }

  get facts(): GroupFacts {
    return this.#facts;
  }

  amend(change: (facts: GroupFacts) => GroupFacts): void {
    const facts = change(this.#facts);
    writeFileAtomically(`${this.#path}.json`, JSON.stringify(facts));
    this.#facts = facts;
  }

  /** Bytes on disk. */
  get storedBytes(): number {
    return this.file.size;
  }

  /** The events' file, read when it is first needed. */
  get file(): GroupFile {
    this.#file ??= new GroupFile(
      `${this.#path}.log`,
      (record) => {
        if ('deleted' in record) this.#forget(record.deleted);
        else this.#remember({ id: record.stream, name: record.name, created: record.created });
      },
      (event) => this.#note(event),
    );
    return this.#file;
  }

  streams(): LogStream[] {
    this.file;
    return [...this.#streams.values()];
  }

  stream(name: string): LogStream | undefined {
    this.file;
    return this.#streams.get(name);
  }

  streamName(id: number): string {
    return this.#names.get(id)?.name ?? '';
  }

  createStream(name: string): LogStream {
    const { file } = this;
    const stream: LogStream = { id: this.#nextId, name, created: Date.now() };
    file.appendRecord({ stream: stream.id, name, created: stream.created });
    this.#remember(stream);
    return stream;
  }

  deleteStream(stream: LogStream): void {
    this.file.appendRecord({ deleted: stream.id });
    this.#forget(stream.id);
  }

  append(stream: LogStream, events: AppendedEvents): void {
    const ingestionTime = Date.now();
    this.file.append(stream.id, ingestionTime, events);
    for (const { timestamp } of events) this.#note({ streamId: stream.id, timestamp, ingestionTime });
    for (const watcher of this.#watchers) watcher(stream.name, ingestionTime, events);
  }

  /** Returns the way to end it. */
  watch(watcher: GroupWatcher): () => void {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  /** The query without what retention has let go, and without deleted streams. */
  visible(query: EventQuery): EventQuery {
    const streams = query.streams ?? new Set(this.streams().map(({ id }) => id));
    const { retentionDays } = this.#facts;
    if (retentionDays === undefined) return { ...query, streams };
    return { ...query, streams, from: Math.max(query.from ?? 0, Date.now() - retentionDays * DAY_MS) };
  }

  delete(): void {
    this.close();
    rmSync(`${this.#path}.json`, { force: true });
    rmSync(`${this.#path}.log`, { force: true });
  }

  close(): void {
    this.#file?.close();
    this.#file = undefined;
  }

  #remember(stream: LogStream): void {
    this.#nextId = stream.id + 1;
    this.#streams.set(stream.name, stream);
    this.#names.set(stream.id, stream);
  }

  #forget(id: number): void {
    const stream = this.#names.get(id);
    if (!stream) return;
    this.#names.delete(id);
    this.#streams.delete(stream.name);
  }

  #note({ streamId, timestamp, ingestionTime }: Pick<StoredEvent, 'streamId' | 'timestamp' | 'ingestionTime'>): void {
    const stream = this.#names.get(streamId);
    if (!stream) return;
    stream.firstTimestamp = Math.min(stream.firstTimestamp ?? timestamp, timestamp);
    stream.lastTimestamp = Math.max(stream.lastTimestamp ?? timestamp, timestamp);
    stream.lastIngestion = ingestionTime;
  }
}
