/** A function as an environment needs it: one code, one configuration. A change of either is another version of this. */
export interface FunctionVersion {
  readonly name: string;
  /** `$LATEST`: the engine has no published versions. */
  readonly version: string;
  readonly arn: string;
  readonly runtime: string;
  readonly handler: string;
  readonly memoryMiB: number;
  readonly timeoutMs: number;
  readonly variables: Readonly<Record<string, string>>;
  /** Where the unpacked zip lies; read by all environments, written by none. */
  readonly codeFolder: string;
  readonly logGroup: string;
}

/** Whether the runtime's program is the zip's own `bootstrap`. */
export const bringsItsOwnRuntime = (runtime: string): boolean => runtime.startsWith('provided');
