import { existsSync, readFileSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, extname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { RuntimeError } from './errors.js';

export type Handler = (...parameters: unknown[]) => unknown;

/** `folder/file.export.member`: the name of the export follows the first dot of the last path segment. */
const HANDLER = /^([^.]*)\.(.+)$/;

/**
 * Loads the handler that `_HANDLER` names from the function's code: CommonJS or an ES module, by extension and package
 * type as Node.js decides it.
 *
 * @throws RuntimeError with the names that Lambda's runtime reports
 */
export async function loadHandler(taskRoot: string, name: string): Promise<Handler> {
  const slash = name.lastIndexOf('/');
  const [, file, path] = HANDLER.exec(name.slice(slash + 1)) ?? [];
  if (file === undefined || path === undefined || name.includes('..')) {
    throw new RuntimeError('Runtime.MalformedHandlerName', `'${name}' is not a valid handler name`);
  }
  const module = await loadModule(join(taskRoot, name.slice(0, slash + 1), file), file);
  const handler = path.split('.').reduce<unknown>((value, key) => member(value, key), module);
  if (handler === undefined) {
    throw new RuntimeError('Runtime.HandlerNotFound', `${name} is undefined or not exported`);
  }
  if (typeof handler !== 'function') throw new RuntimeError('Runtime.HandlerNotFound', `${name} is not a function`);
  return handler as Handler;
}

const member = (value: unknown, key: string): unknown =>
  value !== null && (typeof value === 'object' || typeof value === 'function')
    ? (value as Record<string, unknown>)[key]
    : undefined;

async function loadModule(base: string, name: string): Promise<unknown> {
  const path = ['', '.js', '.mjs', '.cjs']
    .map((suffix) => resolve(base + suffix))
    .find((file) => statSync(file, { throwIfNoEntry: false })?.isFile());
  if (path === undefined) {
    throw new RuntimeError(
      'Runtime.ImportModuleError',
      `Error: Cannot find module '${name}'\nRequire stack:\n- ${base}`,
    );
  }
  try {
    return isEsModule(path) ? await import(pathToFileURL(path).href) : createRequire(path)(path);
  } catch (thrown) {
    if (thrown instanceof SyntaxError) throw new RuntimeError('Runtime.UserCodeSyntaxError', String(thrown), thrown);
    const code = thrown instanceof Error && 'code' in thrown ? thrown.code : undefined;
    if (thrown instanceof Error && (code === 'MODULE_NOT_FOUND' || code === 'ERR_MODULE_NOT_FOUND')) {
      throw new RuntimeError('Runtime.ImportModuleError', String(thrown), thrown);
    }
    throw thrown;
  }
}

/** https://nodejs.org/api/packages.html#determining-module-system */
function isEsModule(path: string): boolean {
  const extension = extname(path);
  if (extension === '.mjs') return true;
  if (extension !== '.js') return false;
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    const manifest = join(folder, 'package.json');
    if (existsSync(manifest)) return JSON.parse(readFileSync(manifest, 'utf8')).type === 'module';
    if (folder === dirname(folder)) return false;
  }
}
