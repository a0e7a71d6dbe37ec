import type {
  Concurrency,
  DeleteFunctionConcurrencyRequest,
  GetAccountSettingsResponse,
  GetFunctionConcurrencyRequest,
  PutFunctionConcurrencyRequest,
} from '@aws-sdk/client-lambda';
import { MAX_UNZIPPED_BYTES } from '../code-store.js';
import type { LambdaContext } from '../context.js';
import { errors } from '../errors.js';
import { find } from './functions.js';

/** The most that all packages of an account may take (75 GB), and a zip in a request. */
const TOTAL_CODE_BYTES = 80_530_636_800;
const ZIPPED_CODE_BYTES = 52_428_800;

export function putFunctionConcurrency(lambda: LambdaContext, request: PutFunctionConcurrencyRequest): Concurrency {
  const { name, reservedConcurrency: before = 0 } = find(lambda, request.FunctionName ?? '');
  const wanted = request.ReservedConcurrentExecutions ?? 0;
  if (!Number.isInteger(wanted) || wanted < 0) {
    throw errors.validation(
      wanted,
      'reservedConcurrentExecutions',
      'Member must have value greater than or equal to 0',
    );
  }
  const { unreserved, unreservedMinimum } = lambda.concurrency;
  if (wanted > before && unreserved + before - wanted < unreservedMinimum) {
    throw errors.invalidParameter(
      `Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum value of [${unreservedMinimum}].`,
    );
  }
  lambda.functions.amend(name, (record) => ({ ...record, reservedConcurrency: wanted }));
  lambda.queue.pump();
  return { ReservedConcurrentExecutions: wanted };
}

export function getFunctionConcurrency(lambda: LambdaContext, request: GetFunctionConcurrencyRequest): Concurrency {
  const { reservedConcurrency } = find(lambda, request.FunctionName ?? '');
  return reservedConcurrency === undefined ? {} : { ReservedConcurrentExecutions: reservedConcurrency };
}

export function deleteFunctionConcurrency(lambda: LambdaContext, request: DeleteFunctionConcurrencyRequest): object {
  const { name } = find(lambda, request.FunctionName ?? '');
  lambda.functions.amend(name, ({ reservedConcurrency: _, ...record }) => record);
  lambda.queue.pump();
  return {};
}

export function getAccountSettings(lambda: LambdaContext): GetAccountSettingsResponse {
  const functions = lambda.functions.all();
  return {
    AccountLimit: {
      TotalCodeSize: TOTAL_CODE_BYTES,
      CodeSizeUnzipped: MAX_UNZIPPED_BYTES,
      CodeSizeZipped: ZIPPED_CODE_BYTES,
      ConcurrentExecutions: lambda.concurrency.limit,
      UnreservedConcurrentExecutions: lambda.concurrency.unreserved,
    },
    AccountUsage: {
      TotalCodeSize: functions.reduce((sum, record) => sum + record.codeSize, 0),
      FunctionCount: functions.length,
    },
  };
}
