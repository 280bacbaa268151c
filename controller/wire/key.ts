// The pre-shared key of a pair of hosts and their witness.
//
// Invariants:
//  - Every use has a key of its own, derived from the file's: what one protocol might leak opens no other.
//  - A key file that others can read is refused. So is a short one.
import { hkdfSync, randomBytes } from 'node:crypto';
import { closeSync, fstatSync, openSync, readFileSync, writeFileSync } from 'node:fs';

import { errnoOf, messageOf, UnderstudyError } from '../../journal/src/errors.js';

const KEY_BYTES_MIN = 32;

export interface PairKeys {
  /** Control connections: hosts, command line from elsewhere, witness. */
  control: Buffer;
  /** The mirror of the data plane. */
  mirror: Buffer;
}

export function readPairKeys(path: string): PairKeys {
  let secret: Buffer;
  try {
    const fd = openSync(path, 'r');
    try {
      const { mode } = fstatSync(fd);
      if ((mode & 0o077) !== 0) {
        throw new UnderstudyError('E_CONFIG', `the key file ${path} can be read by others than its owner`, {
          hint: `chmod 600 ${path}; if somebody may have read it, make a new one ('understudy host key').`,
        });
      }
      secret = Buffer.from(readFileSync(fd, 'utf8').trim());
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    if (error instanceof UnderstudyError) throw error;
    throw new UnderstudyError('E_CONFIG', `the key file cannot be read: ${messageOf(error)}`, {
      hint: `'understudy host key FILE' makes one; all hosts and the witness need the same.`,
      cause: error,
    });
  }
  if (secret.length < KEY_BYTES_MIN) {
    throw new UnderstudyError(
      'E_CONFIG',
      `the key file ${path} holds ${secret.length} characters; ${KEY_BYTES_MIN} are the least`,
      { hint: `'understudy host key FILE' makes a good one.` },
    );
  }
  return derivePairKeys(secret);
}

export function derivePairKeys(secret: Buffer): PairKeys {
  const derive = (use: string): Buffer => Buffer.from(hkdfSync('sha256', secret, 'understudy', use, 32));
  return { control: derive('control v1'), mirror: derive('mirror v1') };
}

export function writeNewKey(path: string): void {
  try {
    writeFileSync(path, `${randomBytes(32).toString('hex')}\n`, { mode: 0o600, flag: 'wx' });
  } catch (error) {
    if (errnoOf(error) === 'EEXIST')
      throw new UnderstudyError('E_CONFIG', `${path} exists, and a key that may be in use is not overwritten`, {
        hint: 'Name another file, or remove it yourself.',
      });
    throw new UnderstudyError('E_CONFIG', `the key cannot be written: ${messageOf(error)}`, { cause: error });
  }
}
