/** An error of the runtime itself, reported with the name that Lambda gives it. */
export class RuntimeError extends Error {
  override readonly name: string;

  constructor(name: string, message: string, cause?: Error) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = name;
    if (cause?.stack !== undefined) this.stack = cause.stack;
  }
}

/** An error as a Lambda function answers it. */
export interface ErrorBody {
  readonly errorType: string;
  readonly errorMessage: string;
  readonly trace: readonly string[];
}

/** Whatever was thrown, in Lambda's form: an Error gives name, message and stack, anything else its type and text. */
export function errorBody(thrown: unknown): ErrorBody {
  if (thrown instanceof Error || isErrorLike(thrown)) {
    return {
      errorType: thrown.name,
      errorMessage: String(thrown.message),
      trace: typeof thrown.stack === 'string' ? thrown.stack.split('\n') : [],
    };
  }
  return { errorType: typeof thrown, errorMessage: thrown === undefined ? 'undefined' : String(thrown), trace: [] };
}

/** Errors of another realm (node:vm) are no instances of ours. */
function isErrorLike(thrown: unknown): thrown is Error {
  return thrown !== null && typeof thrown === 'object' && 'name' in thrown && 'message' in thrown && 'stack' in thrown;
}

/** One line for the log: the error with its own fields, `stack` as a list, as Lambda's runtime prints it. */
export function errorLine(thrown: unknown): string {
  const { errorType, errorMessage, trace } = errorBody(thrown);
  const fields = thrown instanceof Error ? { ...thrown } : {};
  return JSON.stringify({ errorType, errorMessage, ...fields, stack: trace });
}
