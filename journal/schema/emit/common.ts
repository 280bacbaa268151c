// What the emitters share: how arguments are found by name, how names are written, and the lists whose order is part of the format.
//
// Invariants:
//  - A name that the schema does not have, or a number that does not fit, ends the generation.
//
// Must not: know of any target language.
import { rules, type RuleKind, type Syscall } from '../dsl.js';

export const notice = 'Generated from journal/schema by `npm run generate`. Do not edit.';

export const classes = ['emulate', 'reexecute', 'suppress', 'storage', 'special'] as const;
export const restarts = ['none', 'sys', 'never', 'always'] as const;
export const ruleNames = Object.keys(rules) as RuleKind[];
export const noArg = 7;

export const argIndex = (s: Syscall, name: string | undefined): number => {
  if (name === undefined) return noArg;
  const i = s.args.findIndex((a) => a.name === name);
  if (i < 0) throw new Error(`${s.name}: no argument is named ${name}`);
  return i;
};
/** As argIndex, for an argument that is a number: marked when the kernel looks at its lower 32 bits only. */
export const narrow = 0x10;
export const countIndex = (s: Syscall, name: string | undefined): number => {
  const i = argIndex(s, name);
  const type = s.args[i]?.type;
  return type === 'int' || type === 'uint' ? i | narrow : i;
};
export const below = (what: string, value: number, limit: number): number => {
  if (!Number.isInteger(value) || value < 0 || value >= limit) throw new Error(`${what}: ${value} does not fit`);
  return value;
};

export const camel = (text: string): string =>
  text
    .toLowerCase()
    .split(/[-_ ]/)
    .map((w) => w.charAt(0).toUpperCase() + w.slice(1))
    .join('');
