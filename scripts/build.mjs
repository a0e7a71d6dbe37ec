#!/usr/bin/env node
// Builds dist/: the library, the engine, the supervisor (one file) and the native runner.
import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const run = (file, args) => execFileSync(file, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] });

rmSync(join(root, 'dist'), { recursive: true, force: true });
run(process.execPath, [join(root, 'node_modules/tsup/dist/cli-default.js')]);
run('make', ['--no-print-directory', '-C', 'supervisor/inroot', `OUT=${join(root, 'dist/supervisor')}`]);
