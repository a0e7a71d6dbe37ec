import { constants } from 'node:os';
import type { HostCommand } from './runner.js';

/** What the launcher tells, as `supervisor/inroot/launcher.c` numbers it. */
export const REPORT = { started: 0, refused: 1, ended: 2, stdout: 3, stderr: 4 } as const;

/** Two numbers of 32 bits: what, and its value. */
const HEADER_BYTES = 8;

/** In a status of wait(2): the signal that ended the process. */
const SIGNAL_BITS = 0x7f;

/** What the launcher is asked for. No string may have a NUL byte. */
export function encodeRequest({ file, args, environment }: HostCommand): Buffer {
  const variables = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
  const strings = Buffer.from([file, ...args, ...variables].map((text) => `${text}\0`).join(''));
  const request = Buffer.alloc(12 + strings.length);
  request.writeUInt32LE(strings.length, 0);
  request.writeUInt32LE(1 + args.length, 4);
  request.writeUInt32LE(variables.length, 8);
  strings.copy(request, 12);
  return request;
}

/** What is done with reports. */
export interface ReportListener {
  report(kind: number, value: number): void;
  /** A piece of the output that the last report announced. */
  bytes(kind: number, bytes: Buffer): void;
}

/** Takes apart what the launcher writes, in whatever pieces it comes. */
export class ReportReader {
  readonly #listener: ReportListener;
  readonly #header = Buffer.alloc(HEADER_BYTES);
  #headerBytes = 0;
  #kind = 0;
  /** Bytes of output that are still to come. */
  #left = 0;

  constructor(listener: ReportListener) {
    this.#listener = listener;
  }

  push(chunk: Buffer): void {
    for (let at = 0; at < chunk.length; ) {
      at += this.#left > 0 ? this.#readOutput(chunk.subarray(at)) : this.#readHeader(chunk.subarray(at));
    }
  }

  #readOutput(chunk: Buffer): number {
    const bytes = chunk.subarray(0, this.#left);
    this.#left -= bytes.length;
    this.#listener.bytes(this.#kind, bytes);
    return bytes.length;
  }

  #readHeader(chunk: Buffer): number {
    const count = chunk.copy(this.#header, this.#headerBytes);
    this.#headerBytes += count;
    if (this.#headerBytes === HEADER_BYTES) {
      this.#headerBytes = 0;
      this.#kind = this.#header.readUInt32LE(0);
      const value = this.#header.readUInt32LE(4);
      if (this.#kind === REPORT.stdout || this.#kind === REPORT.stderr) this.#left = value;
      this.#listener.report(this.#kind, value);
    }
    return count;
  }
}

/** @param status - as wait(2) has it */
export function exitOf(status: number): { exitCode: number | null; signal: NodeJS.Signals | null } {
  const number = status & SIGNAL_BITS;
  if (number === 0) return { exitCode: (status >> 8) & 0xff, signal: null };
  // Signals of real time have no names there.
  const [name = `SIG${number}`] = Object.entries(constants.signals).find(([, own]) => own === number) ?? [];
  return { exitCode: null, signal: name as NodeJS.Signals };
}
