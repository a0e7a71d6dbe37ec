import { ServiceError } from '../../protocol/service.js';

/** Errors that several operations share, with S3's names, statuses and messages (S3 API reference, "Error responses"). */
export function noSuchBucket(name: string): ServiceError {
  return new ServiceError('NoSuchBucket', 404, 'The specified bucket does not exist', { fields: { BucketName: name } });
}

export function noSuchKey(key: string): ServiceError {
  return new ServiceError('NoSuchKey', 404, 'The specified key does not exist.', { fields: { Key: key } });
}

export function noSuchUpload(uploadId: string): ServiceError {
  const message =
    'The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.';
  return new ServiceError('NoSuchUpload', 404, message, { fields: { UploadId: uploadId } });
}

export function preconditionFailed(condition: string): ServiceError {
  const message = 'At least one of the pre-conditions you specified did not hold';
  return new ServiceError('PreconditionFailed', 412, message, { fields: { Condition: condition } });
}

export function invalidArgument(name: string, value: unknown, message: string): ServiceError {
  return new ServiceError('InvalidArgument', 400, message, { fields: { ArgumentName: name, ArgumentValue: value } });
}

export function invalidRequest(message: string): ServiceError {
  return new ServiceError('InvalidRequest', 400, message);
}

export function notImplemented(what: string): ServiceError {
  return new ServiceError('NotImplemented', 501, `The embedded engine does not implement ${what}`);
}
