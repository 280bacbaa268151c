// The options of the commands that start guests, as data: commander makes its parser, its help and its messages of them, and
// quick-parse.ts reads what is well formed without loading commander.
import { parseInterval, parsePositive, parseSizeBetween } from './arguments.js';

export interface OptionSpec {
  /** As commander writes them: '-o, --output <dir>', '--force', '--no-summary'. */
  flags: string;
  description: string;
  /** Of the value's text; throws BadArgument. Without it the text is the value. */
  parse?: (text: string) => unknown;
  choices?: readonly string[];
  fallback?: { value: unknown; shown?: string };
}

const MIB = 2 ** 20;
const GIB = 2 ** 30;

export const RECORD_OPTIONS: readonly OptionSpec[] = [
  { flags: '-o, --output <dir>', description: 'directory for the journal (default: ./understudy-NAME-TIME)' },
  { flags: '-f, --force', description: 'remove the journal that is there first' },
  { flags: '--progress', description: 'show progress, also when standard error is no terminal' },
  { flags: '--no-summary', description: 'print nothing at the end unless something went wrong' },
  {
    flags: '--ring-size <size>',
    description: 'memory between the guest and the writer',
    parse: parseSizeBetween(MIB, GIB),
    fallback: { value: 4 * MIB, shown: '4M' },
  },
  {
    flags: '--segment-size <size>',
    description: 'size at which a new segment file begins',
    parse: parseSizeBetween(64 * 1024, 64 * GIB),
    fallback: { value: 64 * MIB, shown: '64M' },
  },
  {
    flags: '--on-journal-error <what>',
    description: 'when the journal cannot be written (disk full): end the guest, or let it run on unrecorded',
    choices: ['stop', 'continue'],
    fallback: { value: 'stop' },
  },
  {
    flags: '--kick-after <ms>',
    description: 'interrupt a thread that computes this long without a system call while another waits',
    parse: parsePositive,
    fallback: { value: 5 },
  },
  {
    flags: '--checkpoint-every <seconds>',
    description: 'keep checkpoints, from which a replay can begin',
    parse: parseInterval,
  },
  {
    flags: '--checkpoint-keep <n>',
    description: 'of those, keep the newest n, and older ones for a while (default: all)',
    parse: parsePositive,
  },
  { flags: '--isolate', description: 'in namespaces of its own: pids, mounts, IPC, host name (needs root)' },
  { flags: '--hostname <name>', description: 'its host name, with --isolate' },
  { flags: '--user <user>', description: 'run the program as this user, by name or number (needs root)' },
  { flags: '--json', description: 'print the summary as one line of JSON on standard error' },
];

export const REPLAY_OPTIONS: readonly OptionSpec[] = [
  { flags: '-q, --quiet', description: "do not re-emit the program's output" },
  {
    flags: '--until <seq>',
    description: 'stop after this event, and say how to attach gdb',
    parse: parsePositive,
  },
  {
    flags: '--from <checkpoint>',
    description: "begin with a checkpoint: 'last', its file, or the newest one before this event",
  },
  { flags: '--progress', description: 'show progress, also when standard error is no terminal' },
  { flags: '--any-machine', description: 'try although this machine differs from the recorded one' },
  {
    flags: '--isolate',
    description: 'in namespaces, with the recorded pids; of a journal recorded so (needs root)',
  },
  { flags: '--user <user>', description: 'replay as this user, by name or number (needs root)' },
  { flags: '--json', description: 'print the result as one line of JSON on standard error' },
];
