// A command's connection to a daemon: the local one by its socket, one elsewhere by its control port.
import { UnderstudyError } from '../../journal/src/errors.js';
import { parseEndpoint } from '../config/host-config.js';
import { productVersion } from '../paths.js';
import { connectControl, connectUnix } from '../wire/client.js';
import { readPairKeys } from '../wire/key.js';
import type { Peer } from '../wire/peer.js';
import { findSocket } from './sockets.js';

export interface Target {
  /** Name or socket path of a local daemon. */
  daemon?: string;
  /** ADDRESS:PORT of one elsewhere. */
  host?: string;
  /** The key file, with `host`. */
  key?: string;
}

export async function connectDaemon(target: Target): Promise<Peer> {
  const identity = { name: 'cli', product: `understudy ${productVersion()}` };
  if (target.host === undefined) return await connectUnix(findSocket(target.daemon), identity);
  const at = parseEndpoint(target.host);
  if (at === undefined) throw new UnderstudyError('E_USAGE', `--host ${target.host}: ADDRESS:PORT is wanted`);
  if (target.key === undefined)
    throw new UnderstudyError('E_USAGE', '--host needs --key FILE, the key file of the pair');
  return await connectControl({ ...at, key: readPairKeys(target.key).control }, identity);
}

/** One question to a daemon, one answer. */
export async function askDaemon<T>(target: Target, method: string, params?: unknown, timeoutMs?: number): Promise<T> {
  const peer = await connectDaemon(target);
  try {
    return (await peer.request(method, params, timeoutMs)) as T;
  } finally {
    peer.close();
  }
}
