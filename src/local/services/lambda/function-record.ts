import type { FunctionConfiguration } from '@aws-sdk/client-lambda';
import type { FunctionVersion } from '../../environment/function-version.js';

/** What can be configured, in the engine's own units. */
export interface FunctionSettings {
  readonly role: string;
  readonly runtime: NonNullable<FunctionConfiguration['Runtime']>;
  readonly handler: string;
  readonly description: string;
  readonly memoryMiB: number;
  readonly timeoutSeconds: number;
  readonly ephemeralStorageMiB: number;
  readonly variables: Readonly<Record<string, string>>;
  readonly logGroup: string;
}

/** One statement of a function's resource policy. */
export interface PolicyStatement {
  readonly Sid: string;
  readonly Effect: 'Allow';
  readonly Principal: '*' | { readonly Service: string } | { readonly AWS: string };
  readonly Action: string;
  readonly Resource: string;
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

/** Everything that is kept of a function; a JSON file. Never changed in place. */
export interface FunctionRecord {
  readonly name: string;
  readonly arn: string;
  readonly architecture: 'x86_64' | 'arm64';
  readonly settings: FunctionSettings;
  readonly codeSha256: string;
  readonly codeSize: number;
  /** ISO 8601. */
  readonly lastModified: string;
  readonly revisionId: string;
  readonly state: 'Pending' | 'Active' | 'Failed';
  readonly stateReason?: string;
  readonly lastUpdateStatus: 'InProgress' | 'Successful' | 'Failed';
  readonly lastUpdateStatusReason?: string;
  readonly tags: Readonly<Record<string, string>>;
  readonly policy: readonly PolicyStatement[];
  readonly reservedConcurrency?: number;
}

/** The one version that the engine has of each function. */
export const LATEST = '$LATEST';

/** Lambda's answer for a function. */
export function describeFunction(record: FunctionRecord): FunctionConfiguration {
  const { settings } = record;
  return {
    FunctionName: record.name,
    FunctionArn: record.arn,
    Runtime: settings.runtime,
    Role: settings.role,
    Handler: settings.handler,
    CodeSize: record.codeSize,
    CodeSha256: record.codeSha256,
    Description: settings.description,
    Timeout: settings.timeoutSeconds,
    MemorySize: settings.memoryMiB,
    // Lambda writes the zone as +0000, which ISO 8601's extended form does not.
    LastModified: record.lastModified.replace('Z', '+0000'),
    Version: LATEST,
    ...(Object.keys(settings.variables).length > 0 ? { Environment: { Variables: { ...settings.variables } } } : {}),
    TracingConfig: { Mode: 'PassThrough' },
    RevisionId: record.revisionId,
    State: record.state,
    ...(record.stateReason === undefined
      ? {}
      : {
          StateReason: record.stateReason,
          StateReasonCode: record.state === 'Pending' ? 'Creating' : 'InternalError',
        }),
    LastUpdateStatus: record.lastUpdateStatus,
    ...(record.lastUpdateStatusReason === undefined
      ? {}
      : { LastUpdateStatusReason: record.lastUpdateStatusReason, LastUpdateStatusReasonCode: 'InternalError' }),
    PackageType: 'Zip',
    Architectures: [record.architecture],
    EphemeralStorage: { Size: settings.ephemeralStorageMiB },
    SnapStart: { ApplyOn: 'None', OptimizationStatus: 'Off' },
    LoggingConfig: { LogFormat: 'Text', LogGroup: settings.logGroup },
  };
}

/** What environments run: this code with these settings. */
export function functionVersion(record: FunctionRecord, codeFolder: string): FunctionVersion {
  const { settings } = record;
  return {
    name: record.name,
    version: LATEST,
    arn: record.arn,
    runtime: settings.runtime,
    handler: settings.handler,
    memoryMiB: settings.memoryMiB,
    timeoutMs: settings.timeoutSeconds * 1000,
    variables: settings.variables,
    codeFolder,
    logGroup: settings.logGroup,
  };
}
