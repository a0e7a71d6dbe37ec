import { createCodec, type DocumentCodec } from './codec.js';
import { describeOperations, type OperationModel } from './model.js';
import { createRestRouter, createTargetRouter, type Router } from './router.js';
import { type Operation, type Schemas, type Service, ServiceError } from './service.js';

const DEFAULT_MAX_BODY_BYTES = 8 * 1024 * 1024;

/** A service with what is worked out from its schemas, when the first request for it comes. */
export class ServedService {
  readonly codec: DocumentCodec;
  readonly maxBodyBytes: number;
  private loaded: Promise<Schemas> | undefined;
  private router: Router | undefined;

  constructor(readonly service: Service) {
    this.codec = createCodec(service.protocol);
    this.maxBodyBytes = service.maxBodyBytes ?? DEFAULT_MAX_BODY_BYTES;
  }

  /** Loads the schemas, the first time. An engine is ready without them. */
  load(): Promise<Schemas> {
    this.loaded ??= this.loadSchemas();
    return this.loaded;
  }

  private async loadSchemas(): Promise<Schemas> {
    const { schemas, protocol } = this.service;
    const loaded = typeof schemas === 'function' ? await schemas() : schemas;
    const models = describeOperations(loaded);
    this.router = protocol === 'json-1.1' ? createTargetRouter(models) : createRestRouter(models.values());
    return loaded;
  }

  /** To be asked after `load`. @throws ServiceError when the request names no operation */
  route(...[method, target, headers]: Parameters<Router>) {
    const match = this.router?.(method, target, headers);
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
