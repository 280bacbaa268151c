// Where the command begins. Role: the two commands that start guests are read and called at once; everything else, errors included, is
// main.ts's, with commander. What is imported here is in the file of the bundle that every command loads.
import { parseQuickly } from './quick-parse.js';
import { RECORD_OPTIONS, REPLAY_OPTIONS } from './options.js';
import { record } from './commands/record.js';
import { exitCodeOf } from '../journal/src/errors.js';

function quickly(argv: readonly string[]): (() => Promise<number>) | undefined {
  const [command, ...args] = argv;
  if (command === 'record') {
    const parsed = parseQuickly(RECORD_OPTIONS, args, true);
    if (parsed !== undefined && parsed.operands.length > 0) return () => record(parsed.operands, parsed.options);
  } else if (command === 'replay') {
    const parsed = parseQuickly(REPLAY_OPTIONS, args, false);
    if (parsed?.operands.length === 1) {
      return async () => {
        const { replay } = await import('./commands/replay.js');
        return replay(parsed.operands[0]!, parsed.options);
      };
    }
  }
  return undefined;
}

async function start(argv: string[]): Promise<void> {
  // Stands if the event loop runs dry before the command has come to its end.
  process.exitCode = exitCodeOf('E_INTERNAL');
  const run = quickly(argv);
  if (run === undefined) {
    const { main } = await import('./main.js');
    process.exitCode = await main(argv);
    return;
  }
  try {
    // Not by running out of work: Node would take its heap apart first, for 2 ms.
    process.exit(await run());
  } catch (error) {
    const { asksForJson, renderError } = await import('./main.js');
    process.exitCode = renderError(error, asksForJson(argv));
  }
}

// Not awaited: the bundle, which is a CommonJS module, has no top-level await. It does not reject.
void start(process.argv.slice(2));
