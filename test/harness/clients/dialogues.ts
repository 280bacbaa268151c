// What clients say to servers, per protocol, with the answers that must come: each connection has a model of what it has done.
//
// Invariant: a connection touches its own keys only, so that its answers depend on nothing but its own requests, in their order.
import { createHash } from 'node:crypto';

import type { Dialogue, Step } from './conversation.js';

type Random = (below: number) => number;

/** xorshift32: the same seed, the same conversation. */
export function randomFrom(seed: number): Random {
  let x = (seed * 2654435761 + 1) >>> 0 || 1;
  return (below) => {
    x ^= x << 13;
    x >>>= 0;
    x ^= x >>> 17;
    x ^= x << 5;
    x >>>= 0;
    return x % below;
  };
}

const text = (request: string, reply: string): Step => ({
  request: Buffer.from(request, 'latin1'),
  reply: Buffer.from(reply, 'latin1'),
});

function word(random: Random, longest: number): string {
  let out = '';
  for (let n = 1 + random(longest); n > 0; n--) out += String.fromCharCode(97 + random(26));
  return out;
}

const KEYS = 50;

// Each answer is the hash of the one before and of this request's input: one byte lost, repeated or out of order on the
// connection, at any time, makes all later answers wrong.
const RUNNING_HASH = `local h = redis.sha1hex((redis.call('get', KEYS[1]) or '') .. ARGV[1]) redis.call('set', KEYS[1], h) return h`;

function redis(id: number, random: Random): Dialogue {
  const command = (...args: string[]): string =>
    `*${args.length}\r\n${args.map((a) => `$${Buffer.byteLength(a)}\r\n${a}\r\n`).join('')}`;
  const bulk = (value: string | undefined): string =>
    value === undefined ? '$-1\r\n' : `$${value.length}\r\n${value}\r\n`;
  const model = new Map<string, string>();
  const name = (what: string): string => `{${id}}${what}`;
  let count = 0;
  let hash = '';
  const get = (key: string): Step => text(command('GET', key), bulk(model.get(key)));
  return {
    next: () => {
      const key = name(`k${random(KEYS)}`);
      switch (random(6)) {
        case 0:
        case 1: {
          count++;
          model.set(name('count'), String(count));
          return text(command('INCR', name('count')), `:${count}\r\n`);
        }
        case 2: {
          const input = word(random, 60);
          hash = createHash('sha1')
            .update(hash + input)
            .digest('hex');
          model.set(name('hash'), hash);
          return text(command('EVAL', RUNNING_HASH, '1', name('hash'), input), bulk(hash));
        }
        case 3: {
          const value = word(random, 400);
          model.set(key, value);
          return text(command('SET', key, value), '+OK\r\n');
        }
        case 4: {
          const more = word(random, 20);
          const value = (model.get(key) ?? '') + more;
          if (value.length > 4000) return get(key);
          model.set(key, value);
          return text(command('APPEND', key, more), `:${value.length}\r\n`);
        }
        default:
          return get(key);
      }
    },
    review: () => [...model.keys()].map(get),
  };
}

function memcached(id: number, random: Random): Dialogue {
  const model = new Map<string, string>();
  let count = -1;
  const get = (key: string): Step => {
    const value = model.get(key);
    return text(
      `get ${key}\r\n`,
      value === undefined ? 'END\r\n' : `VALUE ${key} 0 ${value.length}\r\n${value}\r\nEND\r\n`,
    );
  };
  return {
    next: () => {
      const key = `c${id}-${random(KEYS)}`;
      if (count < 0) {
        count = 0;
        return text(`set c${id}-count 0 0 1\r\n0\r\n`, 'STORED\r\n');
      }
      switch (random(4)) {
        case 0:
          return text(`incr c${id}-count 1\r\n`, `${++count}\r\n`);
        case 1: {
          const value = word(random, 800);
          model.set(key, value);
          return text(`set ${key} 0 0 ${value.length}\r\n${value}\r\n`, 'STORED\r\n');
        }
        case 2: {
          const there = model.delete(key);
          return text(`delete ${key}\r\n`, there ? 'DELETED\r\n' : 'NOT_FOUND\r\n');
        }
        default:
          return get(key);
      }
    },
    review: () => [...model.keys()].map(get),
  };
}

/** GET of /file-N over one kept connection; the file's contents are what wwwFile() says. */
function http(_id: number, random: Random): Dialogue {
  const get = (n: number): Step => {
    const body = wwwFile(n);
    return {
      request: Buffer.from(`GET /file-${n} HTTP/1.1\r\nHost: test\r\n\r\n`),
      reply: (got) => {
        const end = got.indexOf('\r\n\r\n');
        if (end < 0) return undefined;
        const head = got.toString('latin1', 0, end);
        if (!head.startsWith('HTTP/1.1 200 OK\r\n')) throw new Error(`file-${n}: ${head.split('\r\n')[0]}`);
        if (!/\r\nConnection: keep-alive/i.test(head))
          throw new Error(`file-${n}: the connection would not be kept: ${head}`);
        const length = Number(/\r\nContent-Length: (\d+)/i.exec(head)?.[1]);
        if (length !== body.length) throw new Error(`file-${n}: ${length} bytes instead of ${body.length}`);
        if (got.length < end + 4 + length) return undefined;
        if (got.compare(body, 0, length, end + 4, end + 4 + length) !== 0) throw new Error(`file-${n}: other contents`);
        return end + 4 + length;
      },
    };
  };
  return { next: () => get(random(WWW_FILES)), review: () => Array.from({ length: WWW_FILES }, (_, n) => get(n)) };
}

export const WWW_FILES = 8;
export function wwwFile(n: number): Buffer {
  const random = randomFrom(1000 + n);
  return Buffer.from(Array.from({ length: 100 + n * n * 900 }, () => random(256)));
}

/** A server that sends everything back. */
function echo(id: number, random: Random): Dialogue {
  let n = 0;
  return {
    next: () => {
      const line = Buffer.from(`${id} ${++n} ${word(random, random(10) === 0 ? 20_000 : 200)}\n`);
      return { request: line, reply: line };
    },
    review: () => [],
  };
}

/** A server that answers every line with a SHA-256 over all lines so far on that connection. */
function running(id: number, random: Random): Dialogue {
  const hash = createHash('sha256');
  let n = 0;
  return {
    next: () => {
      const line = `${id} ${++n} ${word(random, 300)}\n`;
      hash.update(line);
      return text(line, `${hash.copy().digest('hex')}\n`);
    },
    review: () => [],
  };
}

export const dialogues = { redis, memcached, http, echo, running };
export type DialogueName = keyof typeof dialogues;
