export type { ScarClientOptions } from './client/config.js';
export type { CreateFunctionOptions } from './client/create-function.js';
export type { DeletedFunction, DeleteFunctionOptions } from './client/delete-function.js';
export type { Logger, ProgressEvent, RetryEvent, ScarEvents, WarningEvent } from './client/events.js';
export type { FunctionDescription } from './client/function-description.js';
export type {
  FunctionOptions,
  OutputOptions,
  RegistryOptions,
  ScriptSource,
  TriggerOptions,
} from './client/function-options.js';
export type { CallOptions, FunctionDetails } from './client/get-function.js';
export type { ListFunctionsOptions } from './client/list-functions.js';
export { ScarClient } from './client/scar-client.js';
export type { TriggerDescription } from './client/trigger.js';
export {
  FunctionError,
  ImageError,
  RegistryError,
  ScarError,
  type ScarErrorCode,
  type ScarErrorOptions,
  UnsupportedImageError,
  ValidationError,
} from './errors.js';
