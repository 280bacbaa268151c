// Names and numbers of events: what readers know by heart is what the schema says.
import { describe, expect, it } from 'vitest';

import { eventKinds, formatVersion } from '../../journal/schema/events.js';
import { KIND_FILE, KIND_SWITCH } from '../../journal/src/kinds.js';
import { JOURNAL_FORMAT_VERSION } from '../../journal/src/layout.js';
import {
  errnoName,
  eventFields,
  eventKindByName,
  kindName,
  makesDescriptor,
  syscallByName,
} from '../../journal/src/names.js';

describe('names', () => {
  it('agree with the schema', () => {
    const kind = (name: string): number | undefined => eventKinds.find((k) => k.name === name)?.kind;
    expect(KIND_SWITCH).toBe(kind('SWITCH'));
    expect(KIND_FILE).toBe(kind('FILE'));
    expect(JOURNAL_FORMAT_VERSION).toBe(formatVersion);
    // verify reads these two fields of a FILE event by their place.
    expect(eventFields(KIND_FILE).slice(1, 4)).toEqual(['sha256', 'size', 'path']);
  });

  it('are given for kinds, system calls, results; numbers where there is no name', () => {
    expect(kindName(0)).toBe('read');
    expect(kindName(-7)).toBe('START');
    expect(kindName(9999)).toBe('syscall_9999');
    expect(eventKindByName('switch')).toBe(-1);
    expect(syscallByName('OPENAT')).toBe(257);
    expect(syscallByName('257')).toBe(257);
    expect(syscallByName('nothing')).toBeUndefined();
    expect(errnoName(-11)).toBe('EAGAIN');
    expect(errnoName(-512)).toBe('ERESTARTSYS');
    expect(errnoName(-4096)).toBeUndefined();
    expect(errnoName(3)).toBeUndefined();
  });

  it('know which calls make descriptors', () => {
    for (const name of ['open', 'openat', 'socket', 'accept4', 'epoll_create1', 'dup']) {
      expect(makesDescriptor(syscallByName(name)!), name).toBe(true);
    }
    expect(makesDescriptor(syscallByName('read')!)).toBe(false);
  });
});
