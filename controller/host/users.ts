// A user's ids by name, from /etc/passwd and /etc/group. Each host looks for itself: names travel, numbers may differ.
import { readFileSync } from 'node:fs';

import { UnderstudyError } from '../../journal/src/errors.js';

export interface UserIds {
  uid: number;
  gid: number;
  groups: number[];
}

export function lookUpUser(
  user: string | number,
  passwd = readFileSync('/etc/passwd', 'utf8'),
  group = readFileSync('/etc/group', 'utf8'),
): UserIds {
  const entries = (text: string): string[][] => text.split('\n').map((line) => line.split(':'));
  const wanted = String(user);
  const found = entries(passwd).find(([name, , uid]) => name === wanted || uid === wanted);
  if (found === undefined) {
    if (typeof user === 'number') return { uid: user, gid: user, groups: [] };
    throw new UnderstudyError('E_CONFIG', `this host has no user '${user}' in /etc/passwd`, {
      hint: "Make the user on every host of the service, or give its number in 'user'.",
    });
  }
  const [name, , uid, gid] = found;
  const groups = entries(group)
    .filter(([, , , members]) => members?.split(',').includes(name!))
    .map(([, , number]) => Number(number));
  return { uid: Number(uid), gid: Number(gid), groups };
}
