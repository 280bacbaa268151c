// What isolation a recording or replay is to have, in the native side's terms.
//
// Must not: start anything.
import { UnderstudyError } from '../journal/src/errors.js';
import { lookupUser, type Isolation } from '../native/index.js';
import { initPath } from './paths.js';

export interface IsolationRequest {
  /** Namespaces of the guest's own (pid, mount, ipc, uts). */
  isolate?: boolean;
  hostname?: string;
  /** Name or number; the guest runs with the groups that the user has. */
  user?: string;
}

/** Undefined when nothing of the kind was asked for: then no privileges are needed either. */
export function isolationOf(request: IsolationRequest): Isolation | undefined {
  const isolate = request.isolate === true;
  if (!isolate && request.hostname !== undefined)
    throw new UnderstudyError('E_USAGE', 'a host name of its own needs isolation', { hint: 'Give --isolate too.' });
  if (!isolate && request.user === undefined) return undefined;
  const user = request.user === undefined ? undefined : lookupUser(request.user);
  if (request.user !== undefined && user === undefined)
    throw new UnderstudyError('E_USAGE', `there is no user '${request.user}'`, {
      hint: 'Give a name or a number that `getent passwd` knows.',
    });
  return {
    initPath: initPath(),
    pid: isolate,
    mount: isolate,
    ipc: isolate,
    uts: isolate,
    ...(request.hostname === undefined ? {} : { hostname: request.hostname }),
    ...(user === undefined ? {} : { user: { uid: user.uid, gid: user.gid, groups: user.groups } }),
  };
}
