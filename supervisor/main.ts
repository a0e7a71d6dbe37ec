import { resolveConfig } from './config.js';
import { dependencies } from './dependencies.js';
import { createHandler } from './invocation.js';

// The function's runtime is Lambda's to choose; the SDK's advice about it would be in every cold start's log.
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true';

/** What Lambda calls for every event: `index.handler`. */
export const handler = createHandler(dependencies(resolveConfig(process.env), process.stdout));
