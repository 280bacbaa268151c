// Finds the file that a command names, as a shell would: before a guest is started, so that a mistyped name is told from a
// program that cannot be recorded.
import { accessSync, constants, statSync } from 'node:fs';
import { resolve } from 'node:path';

import { UnderstudyError } from '../journal/src/errors.js';

export function findCommand(name: string, path: string | undefined, cwd: string): string {
  const candidates = name.includes('/')
    ? [resolve(cwd, name)]
    : (path ?? '/usr/local/bin:/usr/bin:/bin')
        .split(':')
        .map((dir) => (dir.startsWith('/') ? `${dir}/${name}` : resolve(cwd, dir, name)));
  let refused: string | undefined;
  for (const candidate of candidates) {
    let isFile: boolean | undefined;
    try {
      // Not by an exception: most directories of PATH do not have the file, and making one is slower than looking.
      isFile = statSync(candidate, { throwIfNoEntry: false })?.isFile();
    } catch {
      // Not reachable, which is as good as not there.
    }
    if (isFile === undefined) continue;
    try {
      if (!isFile) throw new Error('not a file');
      accessSync(candidate, constants.X_OK);
      return candidate;
    } catch {
      refused ??= candidate;
    }
  }
  if (refused !== undefined) {
    throw new UnderstudyError('E_COMMAND_NOT_EXECUTABLE', `${refused} is not executable`, {
      hint: `If it is a script, start its interpreter with it, or chmod +x it.`,
    });
  }
  throw new UnderstudyError(
    'E_COMMAND_NOT_FOUND',
    name.includes('/') ? `there is no file ${name}` : `no directory of PATH has a command '${name}'`,
    { hint: 'The command comes after --, as you would type it in a shell.' },
  );
}
