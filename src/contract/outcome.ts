import type { RunnerName } from './function-spec.js';

/** What the supervisor answers: one outcome per record of the event, or one for a direct invocation. */
export interface InvocationResponse {
  scar: 1;
  requestId: string;
  /** Names the execution environment: its log stream, unique to it. */
  environmentId: string;
  /** Whether this was the environment's first invocation. */
  coldStart: boolean;
  /** Digest of the manifest that ran, and whether this invocation had to bring it in. */
  image: { digest: string; pulled: boolean };
  /** What ran the containers; absent if it did not come to that. */
  runner?: RunnerName;
  outcomes: ContainerOutcome[];
}

/** How one container ended. A failure has the same shape as a success, plus `reason` and `message`. */
export type ContainerOutcome = ContainerSuccess | ContainerFailure;

export interface ContainerSuccess extends ContainerFacts {
  status: 'succeeded';
}

export interface ContainerFailure extends ContainerFacts {
  status: 'failed';
  reason: FailureReason;
  /** What was expected, what came, what to do. */
  message: string;
}

/** Why a container failed; the first cause wins. */
export type FailureReason =
  /** It ended with an exit code other than 0. */
  | 'exit'
  /** A signal ended it. */
  | 'signal'
  /** The time budget ran out, and the supervisor stopped it. */
  | 'timeout'
  /** The kernel or the environment's limit ended it for its memory. */
  | 'out-of-memory'
  /** `/tmp` is full. */
  | 'no-space'
  /** The image could not be brought in, or cannot run here. */
  | 'image'
  /** The program could not be started: not found (127) or not executable (126). */
  | 'not-started'
  /** The input object could not be staged in. */
  | 'stage-in'
  /** An output could not be staged out. */
  | 'stage-out'
  /**
   * An earlier invocation with the same idempotency key began and never answered: whether its container did its work is not known,
   * and it is not run again.
   */
  | 'lost'
  /** The event is not one that we know. */
  | 'event';

interface ContainerFacts {
  /** The object that was staged in; absent for a direct invocation. */
  input?: InputObject;
  /** The program's exit code; null if it never started or a signal ended it. */
  exitCode: number | null;
  /** Name of the signal that ended it, e.g. `SIGKILL`; null otherwise. */
  signal: string | null;
  /**
   * What was staged out, target by target in the order of the files' names; also after a failure: nothing that the
   * container wrote is lost.
   */
  outputs: OutputObject[];
  /** How many more were staged out and are not listed, as the response would pass Lambda's limit of 6 MB. */
  outputsOmitted?: number;
  /** The end of what it wrote, for people; the log has all of it. */
  stdout: OutputTail;
  stderr: OutputTail;
  timings: Timings;
  /** This is the answer of an earlier invocation with the same idempotency key; nothing ran again. */
  repeated?: true;
}

export interface ObjectReference {
  bucket: string;
  key: string;
  bytes?: number;
  versionId?: string;
}

/** What a container works on. */
export interface InputObject extends ObjectReference {
  /** Which part of the object it is, if it was split. */
  chunk?: ChunkReference;
}

export interface ChunkReference {
  /** From 0 to `count - 1`. */
  index: number;
  count: number;
  /**
   * The bytes of the object that the chunk's lines take, `end` not included: where the next one that has lines starts. Absent until they
   * are found; in a success, if no line begins in the chunk, so that nothing was run.
   */
  start?: number;
  end?: number;
}

export interface OutputObject {
  bucket: string;
  key: string;
  bytes: number;
  /** The same file is among the outputs before this one, at an earlier target. */
  copy?: true;
}

export interface OutputTail {
  text: string;
  /** Bytes written in all; more than `text` has when it was cut at the front. */
  bytes: number;
}

/** Where the time went, in ms. */
export interface Timings {
  /** Image to rootfs; 0 when it was there. */
  pullMs: number;
  stageInMs: number;
  containerMs: number;
  stageOutMs: number;
}
