import { createCodec, type DocumentCodec } from './codec.js';
import { describeOperations, type OperationModel } from './model.js';
import { createRestRouter, createTargetRouter, type Router } from './router.js';
import { type Operation, type Service, ServiceError } from './service.js';

const DEFAULT_MAX_BODY_BYTES = 8 * 1024 * 1024;

/** A service with what is worked out from its schemas, when the first request for it comes. */
export class ServedService {
  readonly codec: DocumentCodec;
  readonly maxBodyBytes: number;
  private models: ReadonlyMap<string, OperationModel> | undefined;
  private router: Router | undefined;

  constructor(readonly service: Service) {
    this.codec = createCodec(service.protocol);
    this.maxBodyBytes = service.maxBodyBytes ?? DEFAULT_MAX_BODY_BYTES;
  }

  /** @throws ServiceError when the request names no operation */
  route(...[method, target, headers]: Parameters<Router>) {
    this.models ??= describeOperations(this.service.schemas);
    this.router ??=
      this.service.protocol === 'json-1.1' ? createTargetRouter(this.models) : createRestRouter(this.models.values());
    const match = this.router(method, target, headers);
    if (match) return match;
    if (this.service.protocol === 'rest-xml') {
      throw new ServiceError('MethodNotAllowed', 405, 'The specified method is not allowed against this resource.');
    }
    const asked = headers['x-amz-target'] ?? `${method} ${target.rawPath}`;
    const status = this.service.protocol === 'json-1.1' ? 400 : 404;
    throw new ServiceError('UnknownOperationException', status, `${this.service.name} has no operation for ${asked}`);
  }

  /** @throws ServiceError `NotImplemented` that names an operation which the schemas know and the engine does not */
  operation(model: OperationModel): Operation {
    const { operations } = this.service;
    const operation = Object.hasOwn(operations, model.name) ? operations[model.name] : undefined;
    if (operation) return operation;
    throw new ServiceError('NotImplemented', 501, `The embedded engine does not implement ${model.name}`);
  }

  tooLarge(): ServiceError {
    const message = `Request must be smaller than ${this.maxBodyBytes} bytes`;
    return this.service.protocol === 'rest-xml'
      ? new ServiceError('MaxMessageLengthExceeded', 400, message)
      : new ServiceError('RequestTooLargeException', 413, message);
  }
}
