// The guest programs: which there are, what the comments at their heads ask for, and how they are compiled.
//
// Directives, one comment line each, behind the first line (which says what the program exercises):
//   // args: one two "three"     arguments              // stdin: text with \n      standard input
//   // cflags: -static           compiler options       // link: -lm                behind the source file
//   // expect-exit: 3            exit status            // expect-signal: 11        the signal that ends it
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { guestBinaries, guestSources } from './paths.js';

export interface Guest {
  name: string;
  source: string;
  about: string;
  args: string[];
  stdin: string | undefined;
  cflags: string[];
  link: string[];
  /** As a shell would say it. */
  status: number;
}

const DIRECTIVES = ['args', 'stdin', 'cflags', 'link', 'expect-exit', 'expect-signal'] as const;
type Directive = (typeof DIRECTIVES)[number];

function words(text: string): string[] {
  return (text.match(/"[^"]*"|\S+/g) ?? []).map((word) => word.replace(/^"(.*)"$/, '$1'));
}

function parse(file: string): Guest {
  const lines = readFileSync(join(guestSources, file), 'utf8').split('\n');
  const given = new Map<Directive, string>();
  let about = '';
  for (const line of lines) {
    const comment = /^(?:\/\/|#) (.*)$/.exec(line);
    if (comment === null) break;
    const text = comment[1]!;
    const name = DIRECTIVES.find((directive) => text.startsWith(`${directive}: `));
    if (name !== undefined) given.set(name, text.slice(name.length + 2));
    else if (about === '') about = text;
  }
  if (about === '') throw new Error(`${file}: the first line does not say what the program exercises`);
  const signal = given.get('expect-signal');
  return {
    name: file.replace(/\.(c|cpp|S)$/, ''),
    source: file,
    about,
    args: words(given.get('args') ?? ''),
    stdin: given.get('stdin')?.replace(/\\n/g, '\n'),
    cflags: words(given.get('cflags') ?? ''),
    link: words(given.get('link') ?? ''),
    status: signal !== undefined ? 128 + Number(signal) : Number(given.get('expect-exit') ?? 0),
  };
}

export function allGuests(): Guest[] {
  return readdirSync(guestSources)
    .filter((file) => /\.(c|cpp|S)$/.test(file))
    .sort()
    .map(parse);
}

/** Patterns are parts of names, with * for anything; none means all. */
export function selectGuests(patterns: readonly string[]): Guest[] {
  if (patterns.length === 0) return allGuests();
  const expressions = patterns.map(
    (pattern) =>
      new RegExp(
        pattern
          .split('*')
          .map((part) => part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'))
          .join('.*'),
      ),
  );
  return allGuests().filter((guest) => expressions.some((expression) => expression.test(guest.name)));
}

const COMMON = ['-O1', '-g', '-Wall', '-Wextra', '-Werror'];
const headers = (): string =>
  readdirSync(guestSources)
    .filter((file) => file.endsWith('.h'))
    .sort()
    .map((file) => readFileSync(join(guestSources, file), 'utf8'))
    .join('');

let headersText: string | undefined;

const compiling = new Map<string, Promise<string>>();

/** Compiles unless that was done before; returns the executable. The path follows from the contents: a changed source is a new file. */
export function compileGuest(guest: Guest): Promise<string> {
  let running = compiling.get(guest.name);
  if (running === undefined) {
    running = compile(guest);
    compiling.set(guest.name, running);
  }
  return running;
}

async function compile(guest: Guest): Promise<string> {
  headersText ??= headers();
  const compiler = guest.source.endsWith('.cpp') ? 'g++' : 'gcc';
  const standard = guest.source.endsWith('.cpp') ? ['-std=gnu++20'] : guest.source.endsWith('.c') ? ['-std=gnu17'] : [];
  const flags = [...standard, ...COMMON, ...guest.cflags];
  const hash = createHash('sha256')
    .update(JSON.stringify([compiler, flags, guest.link, headersText]))
    .update(readFileSync(join(guestSources, guest.source)))
    .digest('hex')
    .slice(0, 16);
  const dir = join(guestBinaries, hash);
  const binary = join(dir, guest.name);
  if (existsSync(binary)) return binary;
  mkdirSync(dir, { recursive: true });
  const fresh = `${binary}.${process.pid}`;
  // From the folder of the sources: what __FILE__ says must not depend on where the tree is.
  await promisify(execFile)(compiler, [...flags, '-I.', guest.source, '-o', fresh, ...guest.link], {
    cwd: guestSources,
  });
  renameSync(fresh, binary);
  return binary;
}
