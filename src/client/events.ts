import type { ScarError } from '../errors.js';

/** What a {@link ScarClient} tells while it works. */
export interface ScarEvents {
  /** A step of a longer call began, or went on. */
  progress: (event: ProgressEvent) => void;
  /** Something that you may not expect and that is not an error: a lower limit, a permission that could help. */
  warning: (event: WarningEvent) => void;
  /** Something failed in a way that passes, and will be tried again. */
  retry: (event: RetryEvent) => void;
}

export interface ProgressEvent {
  /** The call that it belongs to. */
  operation: 'createFunction' | 'updateFunction' | 'deleteFunction' | 'preheat' | 'images.inspect';
  /** Empty for `images.inspect`. */
  functionName: string;
  step:
    | 'resolve-image'
    | 'read-image'
    | 'upload-image'
    | 'create-log-group'
    | 'create-function'
    | 'update-function'
    | 'wait-until-ready'
    | 'put-trigger'
    | 'roll-back'
    | 'delete'
    | 'preheat';
  /** For people. */
  message: string;
  /** How far the step is, where it can be counted: compressed bytes of the image's layers for `read-image` and `upload-image`, environments for `preheat`. */
  done?: number;
  total?: number;
}

export interface WarningEvent {
  code:
    | 'concurrency-capped'
    | 'concurrency-unknown'
    | 'image-not-cached'
    | 'invocations-dropped'
    | 'mirror-passed-over'
    | 'preheat-incomplete'
    | 'rollback-incomplete'
    | 'image-cleanup-incomplete';
  message: string;
  context: Readonly<Record<string, unknown>>;
}

export interface RetryEvent {
  /** What is tried again, as a phrase: `create function grayify`. */
  doing: string;
  /** Which attempt comes next, from 2. */
  attempt: number;
  /** When it comes, in ms from now. */
  delayMs: number;
  /** What failed. */
  error: ScarError;
}

/** Where a client's events go beside its listeners; `console` is one. Each event is one line and one plain object. */
export interface Logger {
  debug?(message: string, context?: object): void;
  info(message: string, context?: object): void;
  warn(message: string, context?: object): void;
}
