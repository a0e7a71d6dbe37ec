import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { writeFileAtomically } from '../../../util/atomic-file.js';
import type { LogSink } from '../../environment/log-sink.js';
import { errors } from './errors.js';
import { type GroupFacts, LogGroup, type LogStream } from './log-group.js';

const FACTS = '.json';

/** All log groups of a folder, and the sink for the output of environments. */
export class LogStore implements LogSink {
  /** Live Tail sessions that are open. */
  liveTails = 0;
  readonly #folder: string;
  readonly #groups = new Map<string, LogGroup>();
  readonly #onError: (error: unknown) => void;

  /** @param onError - told when output of a function cannot be written, e.g. as the disk is full */
  constructor(folder: string, onError: (error: unknown) => void) {
    this.#folder = folder;
    this.#onError = onError;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const files = readdirSync(folder);
    for (const file of files) {
      if (file.endsWith(FACTS)) {
        const facts: GroupFacts = JSON.parse(readFileSync(join(folder, file), 'utf8'));
        this.#groups.set(facts.name, new LogGroup(join(folder, file.slice(0, -FACTS.length)), facts));
      } else if (!file.endsWith('.log')) rmSync(join(folder, file), { force: true });
    }
  }

  /** By name. */
  groups(): LogGroup[] {
    return [...this.#groups.values()].sort((a, b) => (a.facts.name < b.facts.name ? -1 : 1));
  }

  /** @throws ServiceError `ResourceNotFoundException` */
  group(name: string): LogGroup {
    const group = this.#groups.get(name);
    if (!group) throw errors.noGroup();
    return group;
  }

  /** @throws ServiceError `ResourceAlreadyExistsException` */
  createGroup(name: string, tags: Readonly<Record<string, string>> = {}): LogGroup {
    if (this.#groups.has(name)) throw errors.groupExists();
    const facts: GroupFacts = { name, created: Date.now(), tags };
    // Names are longer than file names may be, and hold slashes.
    const path = join(this.#folder, createHash('sha256').update(name).digest('hex').slice(0, 32));
    rmSync(`${path}.log`, { force: true });
    writeFileAtomically(`${path}${FACTS}`, JSON.stringify(facts));
    const group = new LogGroup(path, facts);
    this.#groups.set(name, group);
    return group;
  }

  deleteGroup(name: string): void {
    this.group(name).delete();
    this.#groups.delete(name);
  }

  /** Group and stream appear with the first line, and again if they are deleted while their environment lives. */
  open(groupName: string, streamName: string): ReturnType<LogSink['open']> {
    let group: LogGroup | undefined;
    let stream: LogStream | undefined;
    return {
      append: (events) => {
        try {
          if (!group || this.#groups.get(groupName) !== group) {
            group = this.#groups.get(groupName) ?? this.createGroup(groupName);
          }
          if (!stream || group.stream(streamName) !== stream) {
            stream = group.stream(streamName) ?? group.createStream(streamName);
          }
          group.append(stream, events);
        } catch (error) {
          this.#onError(error);
        }
      },
      close: () => {},
    };
  }

  close(): void {
    for (const group of this.#groups.values()) group.close();
  }
}
