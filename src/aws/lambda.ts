import {
  AddPermissionCommand,
  type Architecture,
  CreateFunctionCommand,
  DeleteFunctionCommand,
  type FunctionConfiguration,
  GetAccountSettingsCommand,
  GetFunctionCommand,
  GetFunctionConcurrencyCommand,
  GetFunctionConfigurationCommand,
  GetPolicyCommand,
  InvokeCommand,
  type LambdaClient,
  ListFunctionsCommand,
  ListTagsCommand,
  RemovePermissionCommand,
  type Runtime,
  TagResourceCommand,
  UntagResourceCommand,
  UpdateFunctionCodeCommand,
  UpdateFunctionConfigurationCommand,
} from '@aws-sdk/client-lambda';
import { awsErrorName } from './errors.js';
import { functionError, type LambdaCall } from './lambda-errors.js';

/** A function's configuration as Lambda reports it. */
export interface FunctionFacts {
  name: string;
  arn: string;
  roleArn: string;
  handler: string;
  architecture: Architecture;
  memoryMiB: number;
  timeoutSeconds: number;
  ephemeralStorageMiB: number;
  /** The environment variables as Lambda holds them. */
  variables: Record<string, string>;
  state: 'Pending' | 'Active' | 'Inactive' | 'Failed' | (string & {});
  stateReason: string;
  lastUpdate: 'Successful' | 'InProgress' | 'Failed' | (string & {});
  lastUpdateReason: string;
  lastModified: Date;
  /** Base64 SHA-256 of the package. */
  codeSha256: string;
  logGroup: string;
}

/** What a function is created with, beside its package. */
export interface FunctionSettings {
  roleArn: string;
  memoryMiB: number;
  timeoutSeconds: number;
  ephemeralStorageMiB: number;
  variables: Record<string, string>;
}

export interface NewFunction extends FunctionSettings {
  name: string;
  description: string;
  runtime: Runtime;
  handler: string;
  architecture: Architecture;
  zip: Uint8Array;
  tags: Record<string, string>;
}

/** One synchronous invocation as it came back: that the function failed is data here. */
export interface RawInvocation {
  requestId: string;
  payload: Uint8Array;
  /** `Unhandled` or `Handled` when the function itself ended with an error, which the payload describes. */
  functionError: string | undefined;
  /** The last 4 KB of the invocation's log. */
  logTail: string;
}

/** All that GetFunction tells. */
export interface FunctionDetails {
  facts: FunctionFacts;
  tags: Record<string, string>;
  reservedConcurrency: number | undefined;
  codeLocation: string | undefined;
}

/** Who may invoke a function: one statement of its resource policy. */
export interface InvokePermission {
  statementId: string;
  /** E.g. `s3.amazonaws.com`. */
  service: string;
  /** ARN of what may trigger it. */
  sourceArn: string;
  /** Account that owns it: a bucket's name alone can change hands. */
  sourceAccount: string | undefined;
}

/** Executions at once, in the client's account and Region. */
export interface AccountConcurrency {
  total: number;
  /** What is left for functions without a reserved number of their own. */
  unreserved: number;
}

/**
 * Lambda as this package needs it. Errors are `ScarError`s: `function-not-found`, `function-exists`,
 * `function-not-ready` (another change is under way), `role-not-assumable`, `package-too-large`, `throttled`,
 * `permission-denied`, or `service`. An abort throws the signal's reason.
 */
export class FunctionService {
  readonly #client: LambdaClient;

  constructor(client: LambdaClient) {
    this.#client = client;
  }

  async create(settings: NewFunction, signal?: AbortSignal): Promise<FunctionFacts> {
    const command = new CreateFunctionCommand({
      FunctionName: settings.name,
      Description: settings.description,
      Runtime: settings.runtime,
      Handler: settings.handler,
      Architectures: [settings.architecture],
      PackageType: 'Zip',
      Code: { ZipFile: settings.zip },
      Tags: settings.tags,
      ...configurationInput(settings),
    });
    const call = { action: 'CreateFunction', name: settings.name, signal };
    return describeFunction(await this.#attempt(call, (options) => this.#client.send(command, options)));
  }

  async configuration(name: string, signal?: AbortSignal): Promise<FunctionFacts> {
    const command = new GetFunctionConfigurationCommand({ FunctionName: name });
    const call = { action: 'GetFunctionConfiguration', name, signal };
    return describeFunction(await this.#attempt(call, (options) => this.#client.send(command, options)));
  }

  /** With its tags, reserved concurrency, and a link from which its package can be fetched for some minutes. */
  async get(name: string, signal?: AbortSignal): Promise<FunctionDetails> {
    const command = new GetFunctionCommand({ FunctionName: name });
    const call = { action: 'GetFunction', name, signal };
    const answer = await this.#attempt(call, (options) => this.#client.send(command, options));
    return {
      facts: describeFunction(answer.Configuration ?? {}),
      tags: answer.Tags ?? {},
      reservedConcurrency: answer.Concurrency?.ReservedConcurrentExecutions,
      codeLocation: answer.Code?.Location,
    };
  }

  /** All functions of the Region, page by page. */
  async *list(signal?: AbortSignal): AsyncGenerator<FunctionFacts[]> {
    let marker: string | undefined;
    do {
      const command = new ListFunctionsCommand({ Marker: marker });
      const call = { action: 'ListFunctions', signal };
      const page = await this.#attempt(call, (options) => this.#client.send(command, options));
      yield (page.Functions ?? []).map(describeFunction);
      marker = page.NextMarker || undefined;
    } while (marker !== undefined);
  }

  async tags(arn: string, signal?: AbortSignal): Promise<Record<string, string>> {
    const command = new ListTagsCommand({ Resource: arn });
    const call = { action: 'ListTags', name: nameOfArn(arn), signal };
    const answer = await this.#attempt(call, (options) => this.#client.send(command, options));
    return answer.Tags ?? {};
  }

  async tag(arn: string, tags: Record<string, string>, signal?: AbortSignal): Promise<void> {
    const command = new TagResourceCommand({ Resource: arn, Tags: tags });
    const call = { action: 'TagResource', name: nameOfArn(arn), signal };
    await this.#attempt(call, (options) => this.#client.send(command, options));
  }

  async untag(arn: string, names: string[], signal?: AbortSignal): Promise<void> {
    const command = new UntagResourceCommand({ Resource: arn, TagKeys: names });
    const call = { action: 'UntagResource', name: nameOfArn(arn), signal };
    await this.#attempt(call, (options) => this.#client.send(command, options));
  }

  async updateConfiguration(name: string, settings: Partial<FunctionSettings>, signal?: AbortSignal): Promise<void> {
    const command = new UpdateFunctionConfigurationCommand({ FunctionName: name, ...configurationInput(settings) });
    const call = { action: 'UpdateFunctionConfiguration', name, signal };
    await this.#attempt(call, (options) => this.#client.send(command, options));
  }

  /** @param architecture - the function's own: Lambda's default is not what the function has, but x86_64 */
  async updateCode(name: string, zip: Uint8Array, architecture: Architecture, signal?: AbortSignal): Promise<void> {
    const command = new UpdateFunctionCodeCommand({ FunctionName: name, ZipFile: zip, Architectures: [architecture] });
    const call = { action: 'UpdateFunctionCode', name, signal };
    await this.#attempt(call, (options) => this.#client.send(command, options));
  }

  async delete(name: string, signal?: AbortSignal): Promise<void> {
    const command = new DeleteFunctionCommand({ FunctionName: name });
    const call = { action: 'DeleteFunction', name, signal };
    await this.#attempt(call, (options) => this.#client.send(command, options));
  }

  /**
   * Invokes and waits, once: this is the one call that the SDK must not repeat by itself, because a repetition runs the
   * container again. Who calls it owns the retries.
   *
   * @param timeoutMs - when to give up on the answer
   */
  async invoke(name: string, payload: string, timeoutMs: number, signal: AbortSignal): Promise<RawInvocation> {
    const command = new InvokeCommand({ FunctionName: name, Payload: Buffer.from(payload), LogType: 'Tail' });
    command.middlewareStack.add((next) => (args) => next(args), RETRY_MIDDLEWARE);
    try {
      const answer = await this.#client.send(command, { abortSignal: signal, requestTimeout: timeoutMs });
      return {
        requestId: answer.$metadata.requestId ?? '',
        payload: answer.Payload ?? new Uint8Array(),
        functionError: answer.FunctionError,
        logTail: answer.LogResult === undefined ? '' : Buffer.from(answer.LogResult, 'base64').toString(),
      };
    } catch (error) {
      throw functionError(error, { action: 'Invoke', permission: 'lambda:InvokeFunction', name, signal });
    }
  }

  /**
   * Puts an event into the function's queue, once; Lambda runs it when it can, and again when the function fails
   * (https://docs.aws.amazon.com/lambda/latest/dg/invocation-async.html).
   *
   * @returns with nothing but the request's ID
   */
  async enqueue(name: string, payload: string, signal: AbortSignal): Promise<RawInvocation> {
    const command = new InvokeCommand({ FunctionName: name, Payload: Buffer.from(payload), InvocationType: 'Event' });
    command.middlewareStack.add((next) => (args) => next(args), RETRY_MIDDLEWARE);
    try {
      const answer = await this.#client.send(command, sending(signal));
      const requestId = answer.$metadata.requestId ?? '';
      return { requestId, payload: new Uint8Array(), functionError: undefined, logTail: '' };
    } catch (error) {
      throw functionError(error, { action: 'Invoke', permission: 'lambda:InvokeFunction', name, signal });
    }
  }

  /** Adds a statement to the function's policy; fine if one of that ID is there. Returns whether it was added. */
  async allow(name: string, permission: InvokePermission, signal?: AbortSignal): Promise<boolean> {
    const command = new AddPermissionCommand({
      FunctionName: name,
      StatementId: permission.statementId,
      Action: 'lambda:InvokeFunction',
      Principal: permission.service,
      SourceArn: permission.sourceArn,
      SourceAccount: permission.sourceAccount,
    });
    try {
      await this.#client.send(command, sending(signal));
      return true;
    } catch (error) {
      if (awsErrorName(error) === 'ResourceConflictException') return false;
      throw functionError(error, { action: 'AddPermission', name, signal });
    }
  }

  /** Removes a statement; false if it, or the function, was not there. */
  async disallow(name: string, statementId: string, signal?: AbortSignal): Promise<boolean> {
    const command = new RemovePermissionCommand({ FunctionName: name, StatementId: statementId });
    try {
      await this.#client.send(command, sending(signal));
      return true;
    } catch (error) {
      if (awsErrorName(error) === 'ResourceNotFoundException') return false;
      throw functionError(error, { action: 'RemovePermission', name, signal });
    }
  }

  /** The statements that let a service invoke the function; none if it has no policy or does not exist. */
  async permissions(name: string, signal?: AbortSignal): Promise<InvokePermission[]> {
    try {
      const answer = await this.#client.send(new GetPolicyCommand({ FunctionName: name }), sending(signal));
      return parsePolicy(answer.Policy ?? '');
    } catch (error) {
      if (awsErrorName(error) === 'ResourceNotFoundException') return [];
      throw functionError(error, { action: 'GetPolicy', name, signal });
    }
  }

  /** What is reserved for the function; undefined if nothing is. */
  async reservedConcurrency(name: string, signal?: AbortSignal): Promise<number | undefined> {
    const command = new GetFunctionConcurrencyCommand({ FunctionName: name });
    const call = { action: 'GetFunctionConcurrency', name, signal };
    const answer = await this.#attempt(call, (options) => this.#client.send(command, options));
    return answer.ReservedConcurrentExecutions;
  }

  async accountConcurrency(signal?: AbortSignal): Promise<AccountConcurrency> {
    const call = { action: 'GetAccountSettings', signal };
    const answer = await this.#attempt(call, (options) =>
      this.#client.send(new GetAccountSettingsCommand({}), options),
    );
    const total = answer.AccountLimit?.ConcurrentExecutions ?? Number.POSITIVE_INFINITY;
    return { total, unreserved: answer.AccountLimit?.UnreservedConcurrentExecutions ?? total };
  }

  async #attempt<Output>(
    call: LambdaCall,
    send: (options: ReturnType<typeof sending>) => Promise<Output>,
  ): Promise<Output> {
    try {
      return await send(sending(call.signal));
    } catch (error) {
      throw functionError(error, call);
    }
  }
}

/** Takes the place of the SDK's own retries in one command: a public part of its middleware contract (`override`). */
const RETRY_MIDDLEWARE = {
  name: 'retryMiddleware',
  step: 'finalizeRequest',
  priority: 'high',
  override: true,
} as const;

/** Control calls answer in seconds: an answer that never comes must not hang a caller without a signal. */
const CONTROL_TIMEOUT_MS = 120_000;

function sending(signal: AbortSignal | undefined): { abortSignal?: AbortSignal; requestTimeout: number } {
  return { requestTimeout: CONTROL_TIMEOUT_MS, ...(signal && { abortSignal: signal }) };
}

function configurationInput(settings: Partial<FunctionSettings>) {
  const { roleArn, memoryMiB, timeoutSeconds, ephemeralStorageMiB, variables } = settings;
  return {
    Role: roleArn,
    MemorySize: memoryMiB,
    Timeout: timeoutSeconds,
    EphemeralStorage: ephemeralStorageMiB === undefined ? undefined : { Size: ephemeralStorageMiB },
    Environment: variables === undefined ? undefined : { Variables: variables },
  };
}

function describeFunction(configuration: FunctionConfiguration): FunctionFacts {
  const name = configuration.FunctionName ?? '';
  return {
    name,
    arn: configuration.FunctionArn ?? '',
    roleArn: configuration.Role ?? '',
    handler: configuration.Handler ?? '',
    architecture: configuration.Architectures?.[0] ?? 'x86_64',
    memoryMiB: configuration.MemorySize ?? 128,
    timeoutSeconds: configuration.Timeout ?? 3,
    ephemeralStorageMiB: configuration.EphemeralStorage?.Size ?? 512,
    variables: configuration.Environment?.Variables ?? {},
    // ListFunctions leaves state and update out: what it lists can be invoked as far as anybody knows.
    state: configuration.State ?? 'Active',
    stateReason: [configuration.StateReasonCode, configuration.StateReason].filter(Boolean).join(': '),
    lastUpdate: configuration.LastUpdateStatus ?? 'Successful',
    lastUpdateReason: [configuration.LastUpdateStatusReasonCode, configuration.LastUpdateStatusReason]
      .filter(Boolean)
      .join(': '),
    lastModified: new Date(configuration.LastModified ?? 0),
    codeSha256: configuration.CodeSha256 ?? '',
    logGroup: configuration.LoggingConfig?.LogGroup ?? `/aws/lambda/${name}`,
  };
}

/** `arn:aws:lambda:eu-west-1:123456789012:function:NAME`, possibly with a qualifier behind. */
function nameOfArn(arn: string): string {
  return arn.split(':')[6] ?? arn;
}

interface PolicyDocument {
  Statement?: {
    Sid?: string;
    Principal?: { Service?: string } | string;
    Condition?: Record<string, Record<string, string>>;
  }[];
}

function parsePolicy(text: string): InvokePermission[] {
  const { Statement = [] } = (text === '' ? {} : JSON.parse(text)) as PolicyDocument;
  return Statement.map(({ Sid = '', Principal, Condition = {} }) => ({
    statementId: Sid,
    service: typeof Principal === 'object' ? (Principal.Service ?? '') : (Principal ?? ''),
    sourceArn: conditionValue(Condition, 'aws:sourcearn') ?? '',
    sourceAccount: conditionValue(Condition, 'aws:sourceaccount'),
  }));
}

/** Condition keys are case-insensitive: Lambda writes `AWS:SourceArn`. */
function conditionValue(condition: Record<string, Record<string, string>>, key: string): string | undefined {
  return Object.values(condition)
    .flatMap((operator) => Object.entries(operator))
    .find(([name]) => name.toLowerCase() === key)?.[1];
}
