// Writes everything that follows from the schema: the agent's tables, the TypeScript tables and codec, the format's documentation, and
// the golden vectors (emit/ has a file for each). `--check` writes nothing and exits with 1 if a committed file differs.
//
// Invariants:
//  - The output depends on the schema alone: no time, no path, no order of an object's keys that is not written down.
//  - A schema that contradicts itself (a number twice, an argument that does not exist) ends here, before anything is written.
//
// Must not: be imported by anything; it is a program.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { argIndex } from './emit/common.js';
import { cppEvents, cppSyscalls } from './emit/cpp.js';
import { cppGolden, goldenJson } from './emit/golden.js';
import { markdown } from './emit/markdown.js';
import { tsEvents, tsSyscalls } from './emit/ts.js';
import { eventKinds } from './events.js';
import { syscalls } from './syscalls.js';

function check(): void {
  let last = -1;
  const names = new Set<string>();
  for (const s of syscalls) {
    if (s.nr <= last) throw new Error(`${s.name}: number ${s.nr} is out of order`);
    if (names.has(s.name)) throw new Error(`${s.name} is there twice`);
    names.add(s.name);
    last = s.nr;
    for (const o of [
      ...s.out,
      ...(s.commands?.otherwise ?? []),
      ...(s.commands?.list ?? []).flatMap((c) => c.out ?? []),
    ]) {
      argIndex(s, o.at);
      argIndex(s, o.k);
    }
    const seen = new Map<number, string>();
    for (const c of s.commands?.list ?? []) {
      const other = seen.get(c.value);
      if (other !== undefined) throw new Error(`${s.name}: ${c.name} and ${other} have the same number`);
      seen.set(c.value, c.name);
    }
  }
  eventKinds.forEach((e, i) => {
    if (e.kind !== -1 - i) throw new Error(`${e.name}: kind ${e.kind} is out of order`);
  });
}

check();
const files = new Map<string, string>();
files.set('agent/generated/syscalls.gen.h', cppSyscalls());
files.set('agent/generated/events.gen.h', cppEvents());
files.set('agent/generated/golden.gen.h', cppGolden());
files.set('journal/generated/syscalls.ts', tsSyscalls());
files.set('journal/generated/events.ts', tsEvents());
files.set('docs/journal-format.md', markdown());
files.set('test/golden/events.json', goldenJson());

const checkOnly = process.argv.includes('--check');
const root = process.cwd(); // npm runs scripts in the package's folder
let different = 0;
for (const [path, text] of files) {
  const full = join(root, path);
  let old: string | undefined;
  try {
    old = readFileSync(full, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  if (old === text) continue;
  different++;
  if (checkOnly) {
    console.error(
      `${path} ${old === undefined ? 'is missing' : 'is not what the schema says'}: run \`npm run generate\` and commit it`,
    );
  } else {
    mkdirSync(dirname(full), { recursive: true });
    writeFileSync(full, text);
    console.log(`wrote ${path}`);
  }
}
if (checkOnly && different > 0) process.exit(1);
