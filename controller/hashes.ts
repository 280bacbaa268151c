// SHA-256 by the addon, for what every recording and replay hashes before its guest starts: Node's own module for it takes
// longer to load than the hashing takes.
import { provideSha256 } from '../journal/src/sha256.js';
import { sha256, sha256File } from '../native/index.js';
import { toUnderstudyError } from './native-errors.js';
import { agentPath } from './paths.js';

function understood<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw toUnderstudyError(error);
  }
}

export function hashJournalsNatively(): void {
  provideSha256((data) => understood(() => sha256(data)));
}

/** Tells one build of the agent from another. */
export const agentSha256 = (): string => understood(() => sha256File(agentPath()));
