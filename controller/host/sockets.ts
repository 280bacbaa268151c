// Where daemons' control sockets are, and how a command finds the one that it means.
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

import { UnderstudyError } from '../../journal/src/errors.js';

/** struct sockaddr_un has room for so many bytes. */
const PATH_BYTES_MAX = 107;

export function socketPath(stateDir: string): string {
  const path = join(stateDir, 'control.sock');
  if (Buffer.byteLength(path) > PATH_BYTES_MAX) {
    throw new UnderstudyError(
      'E_CONFIG',
      `the path of the control socket, ${path}, is longer than ${PATH_BYTES_MAX} bytes`,
      {
        hint: "Choose a shorter 'stateDir'.",
      },
    );
  }
  return path;
}

function runDir(): string {
  const own = process.env['UNDERSTUDY_RUN_DIR'];
  if (own !== undefined && own !== '') return own;
  return process.getuid?.() === 0
    ? '/run/understudy'
    : join(process.env['XDG_RUNTIME_DIR'] ?? `/tmp/understudy-${process.getuid?.() ?? 0}`, 'understudy');
}

/** A name under which the local commands find a daemon, wherever its state directory is. */
export function daemonLinkPath(name: string): string {
  return join(runDir(), `${name}.sock`);
}

/** The socket of the daemon that is meant: by name, by path, or the only one that there is. */
export function findSocket(asked: string | undefined): string {
  if (asked?.includes('/') === true) return asked;
  if (asked !== undefined) return daemonLinkPath(asked);
  const dir = runDir();
  const names = existsSync(dir) ? readdirSync(dir).filter((name) => name.endsWith('.sock')) : [];
  // A link whose daemon was killed leads nowhere.
  const alive = names.filter((name) => existsSync(join(dir, name)));
  if (alive.length === 1) return join(dir, alive[0]!);
  if (alive.length === 0) {
    throw new UnderstudyError('E_HOST_UNREACHABLE', 'no daemon of understudy runs on this machine', {
      hint: "Start one with 'understudy host start --config FILE', or name one: --daemon NAME or PATH, or --host ADDRESS:PORT.",
    });
  }
  throw new UnderstudyError('E_USAGE', `${alive.length} daemons run on this machine: which one is meant?`, {
    hint: `--daemon ${alive.map((name) => name.slice(0, -'.sock'.length)).join(' or --daemon ')}`,
  });
}
