/** Where a journal's lines are kept; only whole lines ever come back. One writer at a time has it. */
export interface JournalStore {
  /** Where it is, for people. */
  readonly name: string;
  /** How long lines are gathered before they are added, in ms. */
  readonly gatherMs: number;
  /** Lines of earlier sittings, in their order. Before the first {@link append}. */
  lines(signal: AbortSignal): AsyncGenerator<string, undefined>;
  /** Adds lines, each with its end. */
  append(lines: string): Promise<void>;
  /** Makes sure that all is kept, and lets others have it. */
  close(): Promise<void>;
}
