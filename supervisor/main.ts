import { tmpdir } from 'node:os';
import { resolveConfig } from './config.js';
import { dependencies } from './dependencies.js';
import { createHandler } from './invocation.js';

// The SDK reads these at its first use. A function has no user with a home and a configuration (without HOME the SDK fails
// where the user is not in /etc/passwd), and on a laptop the developer's own must not count. The runtime is Lambda's to
// choose: advice about it would be in every cold start's log.
Object.assign(process.env, {
  HOME: tmpdir(),
  AWS_CONFIG_FILE: '/dev/null',
  AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
  AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
});

/** What Lambda calls for every event: `index.handler`. */
export const handler = createHandler(dependencies(resolveConfig(process.env), process.stdout));
