import { randomUUID } from 'node:crypto';
import type {
  AddPermissionRequest,
  AddPermissionResponse,
  GetPolicyRequest,
  GetPolicyResponse,
  RemovePermissionRequest,
} from '@aws-sdk/client-lambda';
import type { LambdaContext } from '../context.js';
import { errors } from '../errors.js';
import type { FunctionRecord, PolicyStatement } from '../function-record.js';
import { find } from './functions.js';

const STATEMENT_ID = /^([a-zA-Z0-9-_]+)$/;
const ACTION = /^(lambda:[*]|lambda:[a-zA-Z]+|[*])$/;

export function addPermission(lambda: LambdaContext, request: AddPermissionRequest): AddPermissionResponse {
  const record = find(lambda, request.FunctionName ?? '', request.Qualifier);
  if (request.FunctionUrlAuthType !== undefined) throw errors.unsupported('FunctionUrlAuthType');
  if (request.PrincipalOrgID !== undefined) throw errors.unsupported('PrincipalOrgID');
  checkRevision(record, request.RevisionId);
  const statement = statementOf(record, request);
  if (record.policy.some(({ Sid }) => Sid === statement.Sid)) throw errors.statementExists(statement.Sid);
  lambda.functions.amend(record.name, (current) => ({
    ...current,
    policy: [...current.policy, statement],
    revisionId: randomUUID(),
  }));
  return { Statement: JSON.stringify(statement) };
}

export function removePermission(lambda: LambdaContext, request: RemovePermissionRequest): object {
  const record = find(lambda, request.FunctionName ?? '', request.Qualifier);
  const id = request.StatementId ?? '';
  checkRevision(record, request.RevisionId);
  if (!record.policy.some(({ Sid }) => Sid === id)) throw errors.statementNotFound(id);
  lambda.functions.amend(record.name, (current) => ({
    ...current,
    policy: current.policy.filter(({ Sid }) => Sid !== id),
    revisionId: randomUUID(),
  }));
  return {};
}

export function getPolicy(lambda: LambdaContext, request: GetPolicyRequest): GetPolicyResponse {
  const { policy, revisionId } = find(lambda, request.FunctionName ?? '', request.Qualifier);
  if (policy.length === 0) throw errors.noPolicy();
  return {
    Policy: JSON.stringify({ Version: '2012-10-17', Id: 'default', Statement: policy }),
    RevisionId: revisionId,
  };
}

/** Who wants to invoke a function, as its policy's statements see it. */
export interface PolicyRequest {
  /** e.g. `s3.amazonaws.com`. */
  readonly service: string;
  readonly sourceArn: string;
  readonly sourceAccount: string;
}

/** Whether the function's policy lets a service invoke it. */
export function permits(record: FunctionRecord, request: PolicyRequest): boolean {
  return record.policy.some(({ Principal: principal, Action: action, Condition: condition = {} }) => {
    const source = condition.ArnLike?.['AWS:SourceArn'];
    const account = condition.StringEquals?.['AWS:SourceAccount'];
    return (
      (principal === '*' || ('Service' in principal && principal.Service === request.service)) &&
      ['lambda:InvokeFunction', 'lambda:*', '*'].includes(action) &&
      (source === undefined || matchesWildcards(source, request.sourceArn)) &&
      (account === undefined || account === request.sourceAccount)
    );
  });
}

function statementOf(record: FunctionRecord, request: AddPermissionRequest): PolicyStatement {
  const { StatementId: id = '', Action: action = '', Principal: principal = '' } = request;
  if (!STATEMENT_ID.test(id) || id.length > 100) {
    throw errors.validation(
      id,
      'statementId',
      `Member must satisfy regular expression pattern: ${STATEMENT_ID.source}`,
    );
  }
  if (!ACTION.test(action)) {
    throw errors.validation(action, 'action', `Member must satisfy regular expression pattern: ${ACTION.source}`);
  }
  const condition = {
    ...(request.SourceAccount ? { StringEquals: { 'AWS:SourceAccount': request.SourceAccount } } : {}),
    ...(request.SourceArn ? { ArnLike: { 'AWS:SourceArn': request.SourceArn } } : {}),
  };
  return {
    Sid: id,
    Effect: 'Allow',
    Principal: principalOf(principal),
    Action: action,
    Resource: record.arn,
    ...(Object.keys(condition).length > 0 ? { Condition: condition } : {}),
  };
}

function principalOf(principal: string): PolicyStatement['Principal'] {
  if (principal === '*') return '*';
  if (/^\d{12}$/.test(principal)) return { AWS: `arn:aws:iam::${principal}:root` };
  if (principal.startsWith('arn:')) return { AWS: principal };
  if (/^[a-z0-9.-]+\.amazonaws\.com$/.test(principal)) return { Service: principal };
  throw errors.invalidParameter('The provided principal was invalid. Please check the principal and try again.');
}

function checkRevision(record: FunctionRecord, revisionId: string | undefined): void {
  if (revisionId !== undefined && revisionId !== record.revisionId) throw errors.revisionMismatch();
}

/** IAM's ArnLike: `*` for any run of characters, `?` for one. */
function matchesWildcards(pattern: string, text: string): boolean {
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${source}$`).test(text);
}
