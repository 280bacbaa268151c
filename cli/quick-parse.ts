// Reads a command line that is well formed. Role: `record` and `replay` start without loading commander, which takes longer than many
// a guest runs.
//
// Invariants:
//  - What it accepts means what commander would make of it; a test compares the two.
//  - Whatever is not plain (an unknown option, --name=value, -of, a value that looks like an option, --help) is not read here at all:
//    undefined, and commander decides, or says what is wrong.
import { BadArgument } from './arguments.js';
import type { OptionSpec } from './options.js';

export interface Parsed {
  options: Record<string, unknown>;
  operands: string[];
}

/** `stopAtOperand`: what follows the first operand is not looked at, but taken as it is. */
export function parseQuickly(
  specs: readonly OptionSpec[],
  args: readonly string[],
  stopAtOperand: boolean,
): Parsed | undefined {
  const byFlag = new Map<string, { spec: OptionSpec; name: string; takesValue: boolean; negated: boolean }>();
  const options: Record<string, unknown> = {};
  for (const spec of specs) {
    const [flags, value] = spec.flags.split(' <') as [string, string | undefined];
    const words = flags.split(', ');
    const long = words.at(-1)!.slice(2);
    const negated = long.startsWith('no-');
    const name = camelCase(negated ? long.slice(3) : long);
    for (const word of words) byFlag.set(word, { spec, name, takesValue: value !== undefined, negated });
    if (negated) options[name] = true;
    if (spec.fallback !== undefined) options[name] = spec.fallback.value;
  }

  const operands: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const word = args[i]!;
    if (word === '--') {
      operands.push(...args.slice(i + 1));
      break;
    }
    if (!word.startsWith('-')) {
      if (stopAtOperand) {
        operands.push(...args.slice(i));
        break;
      }
      operands.push(word);
      continue;
    }
    const flag = byFlag.get(word);
    if (flag === undefined) return undefined;
    if (!flag.takesValue) {
      options[flag.name] = !flag.negated;
      continue;
    }
    const text = args[++i];
    if (text === undefined || text === '' || text.startsWith('-')) return undefined;
    if (flag.spec.choices?.includes(text) === false) return undefined;
    try {
      options[flag.name] = flag.spec.parse === undefined ? text : flag.spec.parse(text);
    } catch (error) {
      if (error instanceof BadArgument) return undefined;
      throw error;
    }
  }
  return { options, operands };
}

const camelCase = (words: string): string => words.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
