// Finds installed programs by name.
import { accessSync, constants, statSync } from 'node:fs';
import { join } from 'node:path';

/**
 * The path of a program, the distribution's first: what stands before it in PATH may be a script that picks a version, which would
 * be another guest than the test names.
 */
export function findProgram(name: string): string | undefined {
  const dirs = ['/usr/bin', '/bin', '/usr/sbin', '/sbin', ...(process.env['PATH'] ?? '').split(':')];
  for (const dir of dirs) {
    const path = join(dir, name);
    try {
      accessSync(path, constants.X_OK);
      if (statSync(path).isFile()) return path;
    } catch {
      // Not in this one.
    }
  }
  return undefined;
}
