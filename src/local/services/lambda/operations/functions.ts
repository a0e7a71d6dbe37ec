import type {
  CreateFunctionRequest,
  DeleteFunctionRequest,
  FunctionCode,
  FunctionConfiguration,
  GetFunctionRequest,
  GetFunctionResponse,
  ListFunctionsRequest,
  ListFunctionsResponse,
  UpdateFunctionCodeRequest,
  UpdateFunctionConfigurationRequest,
} from '@aws-sdk/client-lambda';
import type { CodePackage, CodeStore } from '../code-store.js';
import type { LambdaContext } from '../context.js';
import { errors } from '../errors.js';
import { exists, parseFunctionName } from '../function-name.js';
import { describeFunction, type FunctionRecord } from '../function-record.js';
import { HOST_ARCHITECTURE } from '../functions.js';
import { changeSettings, checkTags, newSettings } from '../validation.js';
import { ZipError } from '../zip.js';

/** Lambda's limit for a zip in a request; larger ones come through S3. */
const MAX_ZIP_BYTES = 52_428_800;

const PAGE = 50;
const MAX_PAGE = 10_000;

/** The record that a request names. @throws ServiceError when there is none */
export function find(lambda: LambdaContext, functionName: string, qualifier?: string): FunctionRecord {
  const parsed = parseFunctionName(functionName);
  const version = qualifier ?? parsed.qualifier;
  if (!exists(version)) throw errors.functionNotFound(lambda.functions.arn(parsed.name, version));
  return lambda.functions.get(parsed.name);
}

export async function createFunction(
  lambda: LambdaContext,
  request: CreateFunctionRequest,
): Promise<FunctionConfiguration> {
  const { name } = parseFunctionName(request.FunctionName ?? '');
  const settings = newSettings({ ...request, FunctionName: name });
  const tags = request.Tags ?? {};
  checkTags(tags);
  checkArchitecture(request.Architectures);
  if (lambda.functions.all().some((record) => record.name === name)) throw errors.functionExists(name);
  const code = await takeCode(lambda, request.Code ?? {}, 'CreateFunction');
  return describeFunction(lambda.functions.create(name, settings, code, tags));
}

export async function getFunction(lambda: LambdaContext, request: GetFunctionRequest): Promise<GetFunctionResponse> {
  const record = find(lambda, request.FunctionName ?? '', request.Qualifier);
  return {
    Configuration: describeFunction(record),
    Code: { RepositoryType: 'S3', Location: await lambda.downloads.link(record.codeSha256) },
    ...(Object.keys(record.tags).length > 0 ? { Tags: { ...record.tags } } : {}),
    ...(record.reservedConcurrency === undefined
      ? {}
      : { Concurrency: { ReservedConcurrentExecutions: record.reservedConcurrency } }),
  };
}

export function getFunctionConfiguration(lambda: LambdaContext, request: GetFunctionRequest): FunctionConfiguration {
  return describeFunction(find(lambda, request.FunctionName ?? '', request.Qualifier));
}

/** A page of functions by name; the marker is the last name of the page before. State is not part of a listing. */
export function listFunctions(lambda: LambdaContext, request: ListFunctionsRequest): ListFunctionsResponse {
  const size = request.MaxItems ?? PAGE;
  if (size < 1 || size > MAX_PAGE) {
    const bound = size < 1 ? 'greater than or equal to 1' : `less than or equal to ${MAX_PAGE}`;
    throw errors.validation(size, 'maxItems', `Member must have value ${bound}`);
  }
  const after = request.Marker === undefined ? '' : Buffer.from(request.Marker, 'base64').toString();
  const rest = lambda.functions.all().filter((record) => record.name > after);
  const page = rest.slice(0, Math.min(size, PAGE));
  const last = page.at(-1);
  return {
    Functions: page.map(describeFunction).map(({ State, LastUpdateStatus, ...listed }) => listed),
    ...(last && rest.length > page.length ? { NextMarker: Buffer.from(last.name).toString('base64') } : {}),
  };
}

export function updateFunctionConfiguration(
  lambda: LambdaContext,
  request: UpdateFunctionConfigurationRequest,
): FunctionConfiguration {
  const { name } = find(lambda, request.FunctionName ?? '');
  const record = lambda.functions.checkChangeable(name, request.RevisionId);
  const settings = changeSettings(record.settings, request);
  return describeFunction(lambda.functions.change(name, { settings }));
}

export async function updateFunctionCode(
  lambda: LambdaContext,
  request: UpdateFunctionCodeRequest,
): Promise<FunctionConfiguration> {
  const { name } = find(lambda, request.FunctionName ?? '');
  if (request.Publish) throw errors.unsupported('Publish');
  checkArchitecture(request.Architectures);
  lambda.functions.checkChangeable(name, request.RevisionId);
  const code = await takeCode(lambda, request, 'UpdateFunctionCode');
  const record = lambda.functions.checkChangeable(name, request.RevisionId);
  if (request.DryRun) return describeFunction({ ...record, codeSha256: code.sha256, codeSize: code.size });
  return describeFunction(lambda.functions.change(name, { code }));
}

export function deleteFunction(lambda: LambdaContext, request: DeleteFunctionRequest): object {
  const { name } = find(lambda, request.FunctionName ?? '', request.Qualifier);
  lambda.functions.delete(name);
  lambda.queue.discard(name);
  return {};
}

function checkArchitecture(architectures: readonly string[] | undefined): void {
  const wanted = architectures?.[0];
  if (wanted === undefined || wanted === HOST_ARCHITECTURE) return;
  throw errors.unsupported(`Architectures [${architectures?.join(', ')}] on this ${HOST_ARCHITECTURE} machine`);
}

type CodeSource = Pick<FunctionCode, 'ZipFile' | 'S3Bucket' | 'S3Key' | 'S3ObjectVersion' | 'ImageUri'>;

async function takeCode(lambda: LambdaContext, source: CodeSource, operation: string): Promise<CodePackage> {
  if (source.ImageUri !== undefined) throw errors.unsupported('Code.ImageUri');
  const zip = source.ZipFile ? inlineZip(source.ZipFile, operation) : await zipFromS3(lambda, source);
  return storeCode(lambda.code, zip);
}

function inlineZip(zip: Uint8Array, operation: string): Buffer {
  if (zip.byteLength > MAX_ZIP_BYTES) throw errors.requestTooLarge(MAX_ZIP_BYTES, operation);
  return Buffer.from(zip.buffer, zip.byteOffset, zip.byteLength);
}

async function zipFromS3(lambda: LambdaContext, source: CodeSource): Promise<Buffer> {
  const { S3Bucket: bucket, S3Key: key } = source;
  if (bucket === undefined || key === undefined) {
    throw errors.invalidParameter('Please provide a source for function code.');
  }
  try {
    return await lambda.readObject(bucket, key, source.S3ObjectVersion);
  } catch (error) {
    const { name, message } = error as Error;
    throw errors.invalidParameter(
      `Error occurred while GetObject. S3 Error Code: ${name}. S3 Error Message: ${message}`,
    );
  }
}

async function storeCode(code: CodeStore, zip: Buffer): Promise<CodePackage> {
  try {
    return await code.put(zip);
  } catch (error) {
    if (!(error instanceof ZipError)) throw error;
    if (error.message.startsWith('Unzipped size')) throw errors.invalidParameter(error.message);
    throw errors.invalidParameter(
      `Could not unzip uploaded file. Please check your file, then try to upload again. (${error.message})`,
    );
  }
}
