// The command `understudy`, but for its first step (start.ts). Role: parse arguments, hand over to the one module of the command given,
// render errors.
//
// Invariants:
//  - What a command needs is imported by that command: `record` starts a guest and must not wait for a database to load.
//    Nor is the parser of any other command built when the first word names one.
//  - Every failure ends in an exit code of docs/errors.md and, with --json, in one line of JSON on standard error.
//
// Must not: decide what recording or replaying means; that is the controller's.
import { Command, CommanderError, Option } from 'commander';

import { parseNonNegative, parsePositive, parseSeconds } from './arguments.js';
import { forCommander, withOptions } from './commander.js';
import { RECORD_OPTIONS, REPLAY_OPTIONS } from './options.js';
import { addPairCommands } from './pair-commands.js';
import { err, errJson, out, style } from './output.js';
import { productVersion } from '../controller/paths.js';
import { exitCodeOf, messageOf, UnderstudyError } from '../journal/src/errors.js';

interface GlobalOptions {
  json?: boolean;
}

const OUTPUT = {
  writeOut: out,
  writeErr: err,
  outputError: (text: string, write: (text: string) => void): void => write(`understudy: ${text}`),
  getOutHelpWidth: (): number => 100,
  getErrHelpWidth: (): number => 100,
};

const COMMANDS = new Map<string, (program: Command) => void>([
  ['record', addRecord],
  ['replay', addReplay],
  ['journal', addJournal],
  ['checkpoint', addCheckpoint],
  ['preflight', addPreflight],
  ...['host', 'service', 'witness', 'list', 'failover', 'reinstate', 'switchover', 'explain'].map(
    (name) => [name, addPairCommands] as const,
  ),
]);

/** The parser: of the command that the first word names, or of all. */
export function build(firstWord: string | undefined): Command {
  const program = new Command('understudy');
  program
    .description('Records an unmodified Linux program, replays it exactly, and lets a second host take it over.')
    .enablePositionalOptions()
    .showHelpAfterError("('understudy COMMAND --help' explains a command)")
    .configureOutput(OUTPUT)
    .exitOverride()
    .option('-V, --version', 'print the version')
    .on('option:version', () => {
      throw new VersionAsked();
    })
    .addHelpText(
      'after',
      `
Examples:
  understudy record -o J -- redis-server --port 7000    run it, use it, stop it
  understudy replay J                                   the same run again, without any outside effect
  understudy journal info J                             what was recorded, and how it ended
  understudy preflight -- ./server                      what of a program is covered, and what is not
  understudy service apply orders.yaml                  a service on two hosts ('understudy host --help' first)
  understudy list                                       the services of this host

Exit codes: record and replay end as the guest did (128+n for signal n). understudy's own: 64 wrong usage, 70 the replay
diverged, 74 the journal is damaged or cannot be written, 75 the journal ends early; all of them: docs/errors.md.`,
    );
  const named = COMMANDS.get(firstWord ?? '');
  for (const add of named === undefined ? new Set(COMMANDS.values()) : [named]) add(program);
  for (const command of withSubcommands(program)) {
    command.exitOverride().configureOutput(OUTPUT);
    command.helpOption('-h, --help', 'explain this command').helpCommand(false);
  }
  return program;
}

function withSubcommands(command: Command): Command[] {
  return [command, ...command.commands.flatMap(withSubcommands)];
}

function addRecord(program: Command): void {
  withOptions(program.command('record'), RECORD_OPTIONS)
    .description('run a command and record it')
    .usage('[options] -- COMMAND [ARGUMENT...]')
    .argument('<command...>', 'the command, after --')
    .passThroughOptions()
    .addHelpText(
      'after',
      `
The command gets this terminal: its input, output and Ctrl-C work as always. SIGTERM to understudy is passed on.
Exit status: that of the command, 128+n if signal n ended it; 126 or 127 if it cannot be started; others: docs/errors.md.

Examples:
  understudy record -- ./build/server --port 7000
  understudy record -o /var/tmp/J --force --progress -- python3 job.py
  understudy record --on-journal-error continue --no-summary -- nginx -g 'daemon off;'`,
    )
    .action(async (command: string[], options: Record<string, unknown>) => {
      const { record } = await import('./commands/record.js');
      process.exitCode = await record(command, options);
    });
}

function addReplay(program: Command): void {
  withOptions(program.command('replay'), REPLAY_OPTIONS)
    .description('replay a journal')
    .argument('<journal>', 'the directory, or a packed journal')
    .addHelpText(
      'after',
      `
Nothing outside happens: no file, socket or other process is touched; only standard output and error are shown again.
Exit status: the recorded one; 70 if the replay diverged from the recording, 75 if the journal ends before the program did.

Examples:
  understudy replay J
  understudy replay J --quiet; echo $?
  understudy replay J --until 120000        then: gdb -p PID, as it says`,
    )
    .action(async (journal: string, options: Record<string, unknown>) => {
      const { replay } = await import('./commands/replay.js');
      process.exitCode = await replay(journal, options);
    });
}

function addJournal(program: Command): void {
  const journal = program
    .command('journal')
    .description('look at, check, pack and remove journals')
    .addHelpText(
      'after',
      `
Examples:
  understudy journal ls /var/tmp
  understudy journal info J
  understudy journal dump J --from 1000 --to 1100
  understudy journal verify J
  understudy journal pack J && understudy journal rm J`,
    );

  journal
    .command('info')
    .description('what was recorded, where, how it ended, how much of it is valid')
    .argument('<journal>')
    .option('--json', 'as one JSON object')
    .action(async (path: string, options: GlobalOptions) => {
      const { journalInfo } = await import('./commands/journal-info.js');
      process.exitCode = await journalInfo(path, options);
    });

  journal
    .command('ls')
    .description('the journals in a directory, newest first')
    .argument('[dir]', 'the directory', '.')
    .option('--json', 'as one JSON array')
    .action(async (dir: string, options: GlobalOptions) => {
      const { journalList } = await import('./commands/journal-info.js');
      process.exitCode = await journalList(dir, options);
    });

  journal
    .command('dump')
    .description('the events, one a line')
    .argument('<journal>')
    .addOption(new Option('--from <seq>', 'first event').argParser(forCommander(parsePositive)))
    .addOption(new Option('--to <seq>', 'last event').argParser(forCommander(parsePositive)))
    .addOption(
      new Option('--thread <n>', 'only events of this thread of the group (1 is the first)').argParser(
        forCommander(parsePositive),
      ),
    )
    .option('--kind <names>', 'only these kinds, with commas: SWITCH, SIGNAL, START, NOTE, syscall, ...')
    .option('--syscall <names>', 'only these system calls, with commas: read,write,futex or numbers')
    .addOption(
      new Option('--fd <n>', 'only calls whose result is this descriptor: where it was opened').argParser(
        parseNonNegative,
      ),
    )
    .addOption(
      new Option('--after <seconds>', 'only events written so long after the beginning, or later').argParser(
        parseSeconds,
      ),
    )
    .addOption(
      new Option('--bytes <n>', 'show so many bytes of each piece of data')
        .default(32)
        .argParser(forCommander(parseNonNegative)),
    )
    .option('--json', 'one JSON object a line, data in full as hexadecimal')
    .addHelpText(
      'after',
      `
Examples:
  understudy journal dump J | less
  understudy journal dump J --from 120000 --to 120050
  understudy journal dump J --syscall openat,execve --bytes 0
  understudy journal dump J --kind NOTE,SIGNAL,END
  understudy journal dump J --thread 3 --json | jq .`,
    )
    .action(async (path: string, options: Record<string, unknown>) => {
      const { journalDump } = await import('./commands/journal-dump.js');
      process.exitCode = await journalDump(path, options);
    });

  journal
    .command('verify')
    .description('check every byte: finds any single flipped bit, and says in which file and where')
    .argument('<journal>')
    .option('--json', 'as one JSON object')
    .addHelpText('after', '\nExit status: 0 if everything is as it was written, 74 otherwise.')
    .action(async (path: string, options: GlobalOptions) => {
      const { journalVerify } = await import('./commands/journal-verify.js');
      process.exitCode = await journalVerify(path, options);
    });

  journal
    .command('pack')
    .description('make one self-contained file of a journal (replay and info take it as it is)')
    .argument('<journal>')
    .option('-o, --output <file>', 'the file (default: JOURNAL.udj)')
    .addOption(
      new Option('--level <n>', 'compression, 1 (quick) to 9 (small)')
        .default(6)
        .choices(['1', '2', '3', '4', '5', '6', '7', '8', '9']),
    )
    .option('-f, --force', 'replace the file if it exists')
    .option('--json', 'as one JSON object')
    .action(async (path: string, options: Record<string, unknown>) => {
      const { journalPack } = await import('./commands/journal-pack.js');
      process.exitCode = await journalPack(path, options);
    });

  journal
    .command('unpack')
    .description('make a journal directory of a packed journal')
    .argument('<file>')
    .option('-o, --output <dir>', 'the directory (default: the name of the file without .udj)')
    .option('--json', 'as one JSON object')
    .action(async (path: string, options: Record<string, unknown>) => {
      const { journalUnpack } = await import('./commands/journal-pack.js');
      process.exitCode = await journalUnpack(path, options);
    });

  journal
    .command('rm')
    .description('remove journals')
    .argument('<journal...>')
    .option('--json', 'as one JSON array')
    .action(async (paths: string[], options: GlobalOptions) => {
      const { journalRemove } = await import('./commands/journal-pack.js');
      process.exitCode = await journalRemove(paths, options);
    });
}

function addCheckpoint(program: Command): void {
  const checkpoint = program
    .command('checkpoint')
    .description(
      'take, look at, check and remove checkpoints of a recording, from which a replay can begin, or the program go on',
    )
    .addHelpText(
      'after',
      `
A checkpoint is named by its event, by its file, or 'last'.

Examples:
  understudy checkpoint create J            while the program runs
  understudy checkpoint ls J
  understudy checkpoint verify J            every byte of all of them
  understudy checkpoint rm J --before last
  understudy checkpoint restore J           the program goes on from the newest
  understudy replay --from last J`,
    );

  checkpoint
    .command('create')
    .description('have a running recording take one')
    .argument('<recording>', "its journal's directory, or a process of it")
    .option('--json', 'as one JSON object')
    .action(async (recording: string, options: GlobalOptions) => {
      const { checkpointCreate } = await import('./commands/checkpoint-create.js');
      process.exitCode = await checkpointCreate(recording, options);
    });

  checkpoint
    .command('ls')
    .description('which there are')
    .argument('<journal>')
    .option('--json', 'as one JSON array')
    .action(async (journal: string, options: GlobalOptions) => {
      const { checkpointList } = await import('./commands/checkpoint-files.js');
      process.exitCode = checkpointList(journal, options);
    });

  checkpoint
    .command('info')
    .description('what one holds: whose memory, how much of it, where it was taken')
    .argument('<journal>')
    .argument('[checkpoint]', 'default: last')
    .option('--regions', 'with every mapping')
    .option('--json', 'as one JSON object')
    .action(async (journal: string, name: string | undefined, options: GlobalOptions & { regions?: boolean }) => {
      const { checkpointInfo } = await import('./commands/checkpoint-files.js');
      process.exitCode = checkpointInfo(journal, name, options);
    });

  checkpoint
    .command('verify')
    .description('whether every byte is as it was written; damage is named: file, offset, process, address')
    .argument('<journal>')
    .argument('[checkpoint]', 'default: all')
    .option('--json', 'as one JSON object')
    .action(async (journal: string, name: string | undefined, options: GlobalOptions) => {
      const { checkpointVerify } = await import('./commands/checkpoint-files.js');
      process.exitCode = checkpointVerify(journal, name, options);
    });

  checkpoint
    .command('restore')
    .description('let the program go on from one, as the real thing, and record it (needs root)')
    .argument('<journal>', 'recorded with --isolate')
    .option('--from <checkpoint>', "which: 'last', its file, or the newest one before this event", 'last')
    .option('-o, --output <dir>', 'directory for the journal of what follows (default: ./understudy-NAME-TIME)')
    .option('-f, --force', 'remove the journal that is there first')
    .option('--hostname <name>', 'its host name')
    .option('--progress', 'show progress, also when standard error is no terminal')
    .option('--no-summary', 'print nothing at the end unless something went wrong')
    .option('--json', 'print what happens and the summary as lines of JSON on standard error')
    .addHelpText(
      'after',
      `
It has the memory, threads, processes and open files that it had; its standard input, output and error are this command's, and
Ctrl-C works as always. Files are what they are now; connections are found reset; sockets that listened listen again.
Nothing is repeated of what followed in the journal. docs/checkpoint.md says what is refused, and why.
Exit status: that of the program, 128+n if signal n ended it; 82 if it cannot go on here; others: docs/errors.md.

Examples:
  understudy record --isolate --checkpoint-every 10 -o J -- redis-server --port 7000
  understudy checkpoint restore J
  understudy checkpoint restore --from 120000 -o K J && understudy replay --from last K`,
    )
    .action(async (journal: string, options: Record<string, unknown>) => {
      const { checkpointRestore } = await import('./commands/checkpoint-restore.js');
      process.exitCode = await checkpointRestore(journal, options);
    });

  checkpoint
    .command('rm')
    .description('remove checkpoints; those that build upon them stay usable')
    .argument('<journal>')
    .argument('[checkpoint...]')
    .option('--before <checkpoint>', 'all that are older than this one')
    .option('--json', 'as one JSON object')
    .action(async (journal: string, names: string[], options: GlobalOptions & { before?: string }) => {
      const { checkpointRemove } = await import('./commands/checkpoint-files.js');
      process.exitCode = checkpointRemove(journal, names, options);
    });
}

function addPreflight(program: Command): void {
  program
    .command('preflight')
    .description('what of a program is covered by recording, and what is not')
    .usage('[options] -- COMMAND [ARGUMENT...] | PID')
    .argument('<command...>', 'a command after --, or the id of a running process')
    .passThroughOptions()
    .option('--json', 'as one JSON object')
    .addHelpText(
      'after',
      `
Nothing is started: the program's files are read (a script's interpreter is followed), or a process is looked at from outside.
Each line is ok, limited (works, with a difference that is named) or unsupported, with the reason and what to do.
Exit status: 0 if nothing is unsupported, 1 otherwise.

Examples:
  understudy preflight -- ./legacy-server
  understudy preflight --json -- python3 job.py
  understudy preflight 4711`,
    )
    .action(async (command: string[], options: GlobalOptions) => {
      const { preflight } = await import('./commands/preflight.js');
      process.exitCode = await preflight(command, options);
    });
}

class VersionAsked extends Error {}

export function renderError(error: unknown, json: boolean): number {
  const known =
    error instanceof UnderstudyError
      ? error
      : new UnderstudyError('E_INTERNAL', `unexpected: ${messageOf(error)}`, {
          hint: 'This is a fault in understudy. UNDERSTUDY_DEBUG=1 shows where.',
          cause: error,
        });
  if (json) {
    errJson({ error: known });
  } else {
    const { red, dim } = style(2);
    err(`understudy: ${red('error:')} ${known.message}\n`);
    if (known.hint !== undefined) err(`  ${known.hint}\n`);
    err(dim(`  [${known.code}, exit code ${known.exitCode}; ${known.docs}]\n`));
  }
  if (process.env['UNDERSTUDY_DEBUG'] === '1') {
    for (let e = error; e instanceof Error; e = e.cause) err(`${e.stack ?? e.message}\n`);
  }
  return known.exitCode;
}

/** Everything after -- belongs to the guest. */
export function asksForJson(argv: string[]): boolean {
  const end = argv.indexOf('--');
  return (end < 0 ? argv : argv.slice(0, end)).includes('--json');
}

/** Returns the exit code. */
export async function main(argv: string[]): Promise<number> {
  const program = build(argv[0]);
  try {
    if (argv.length === 0) {
      program.outputHelp({ error: true });
      return exitCodeOf('E_USAGE');
    }
    await program.parseAsync(argv, { from: 'user' });
    return Number(process.exitCode); // which every command has set
  } catch (error) {
    if (error instanceof VersionAsked) {
      out(`understudy ${productVersion()}\n`);
      return 0;
    }
    // It has printed its message already; help that was asked for is no error.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : exitCodeOf('E_USAGE');
    return renderError(error, asksForJson(argv));
  }
}
