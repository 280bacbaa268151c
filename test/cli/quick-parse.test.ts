// The quick reader of command lines takes only what is plain, and makes of it what commander does.
import { describe, expect, test } from 'vitest';

import { build } from '../../cli/main.js';
import { RECORD_OPTIONS, REPLAY_OPTIONS } from '../../cli/options.js';
import { parseQuickly } from '../../cli/quick-parse.js';

function quickly(argv: string[]): { options: object; operands: string[] } | undefined {
  const [command, ...args] = argv;
  return command === 'record' ? parseQuickly(RECORD_OPTIONS, args, true) : parseQuickly(REPLAY_OPTIONS, args, false);
}

async function byCommander(argv: string[]): Promise<{ options: object; operands: string[] } | undefined> {
  const program = build(argv[0]).configureOutput({ writeErr: () => undefined, writeOut: () => undefined });
  let parsed: { options: object; operands: string[] } | undefined;
  const command = program.commands.find((c) => c.name() === argv[0])!;
  command.configureOutput({ writeErr: () => undefined, writeOut: () => undefined });
  command.action((operands: string | string[], options: object) => {
    parsed = { options: { ...options }, operands: [operands].flat() };
  });
  await program.parseAsync(argv, { from: 'user' });
  return parsed;
}

const plain = [
  'record -- true',
  'record true',
  'record true --force -o x',
  'record -o J --force -- redis-server --port 7000',
  'record --output J -f --progress --json -- a -- b',
  'record --no-summary --on-journal-error continue -- a',
  'record --ring-size 1M --segment-size 64k --kick-after 7 -- a',
  'record -o J -o K -- a',
  'replay J',
  'replay J -q --until 12',
  'replay --any-machine --progress --json J',
  'replay -q -- J',
  'replay -- -J',
];
const notPlain = [
  'record --output=J -- a',
  'record -oJ -- a',
  'record -fo J -- a',
  'record -o -- a',
  'record --help',
  'record --unknown -- a',
  'record --ring-size 1 -- a',
  'record --on-journal-error maybe -- a',
  'record -o',
  'replay --until 0 J',
  'replay J --until x',
  'replay -qh J',
  'replay -',
];

describe('quick parse', () => {
  for (const line of plain) {
    test(line, async () => {
      expect(quickly(line.split(' '))).toEqual(await byCommander(line.split(' ')));
    });
  }
  for (const line of notPlain) {
    test(`not read: ${line}`, () => expect(quickly(line.split(' '))).toBeUndefined());
  }
});
