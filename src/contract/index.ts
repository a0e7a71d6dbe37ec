export * from './event.js';
export * from './function-spec.js';
export * from './outcome.js';
export * from './response-limits.js';
export * from './script.js';
export * from './variables.js';
