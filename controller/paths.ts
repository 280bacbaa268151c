// Where the built parts of the product lie, and where a user's cache is.
//
// Must not: create anything.
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';

import { UnderstudyError } from '../journal/src/errors.js';

/** The folder that holds package.json; this module may run from source or compiled. */
export function productRoot(): string {
  let dir = import.meta.dirname;
  while (!existsSync(join(dir, 'package.json'))) {
    const parent = dirname(dir);
    if (parent === dir) throw new Error('no package.json above the controller');
    dir = parent;
  }
  return dir;
}

export function productVersion(): string {
  const { version } = JSON.parse(readFileSync(join(productRoot(), 'package.json'), 'utf8')) as { version: string };
  return version;
}

function built(...names: string[]): string {
  const path = join(productRoot(), 'build', ...names);
  if (!existsSync(path)) {
    throw new UnderstudyError('E_NATIVE_UNAVAILABLE', `${path} is missing: the native parts are not built`, {
      hint: 'Run scripts/setup once.',
    });
  }
  return path;
}

export const agentPath = (): string => built('agent', 'understudy-agent');
export const stubPath = (): string => built('native', 'understudy-stub');
/** The first process of an isolated guest's PID namespace. */
export const initPath = (): string => built('native', 'understudy-init');

/** Copies of mapped files and of their syscall sites, shared by all journals of the user. Losing it costs time only. */
export function cacheDir(env: NodeJS.ProcessEnv = process.env): string {
  const own = env['UNDERSTUDY_CACHE_DIR'];
  if (own !== undefined && own !== '') return own;
  const xdg = env['XDG_CACHE_HOME'];
  return join(xdg !== undefined && xdg.startsWith('/') ? xdg : join(homedir(), '.cache'), 'understudy');
}
