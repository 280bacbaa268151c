// The commands of pairs: their arguments and their help. What they do is in commands/host.ts and commands/service.ts.
//
// Must not: import those at the top: `record` must not wait for a database to load.
import { type Command, Option } from 'commander';

import { parseMoment, parsePositive, parseSeconds } from './arguments.js';
import { forCommander } from './commander.js';

const TARGET_HELP = `
Which daemon: the only one on this machine; --daemon NAME or the path of its socket; --host ADDRESS:PORT --key FILE elsewhere.`;

/** Options that say which daemon is asked. */
function asks(command: Command): Command {
  return command
    .option('--daemon <name>', 'a daemon on this machine, by name or by the path of its socket')
    .option('--host <address:port>', 'a daemon elsewhere, by its control port')
    .option('--key <file>', 'the key file of the pair, with --host')
    .option('--json', 'as JSON');
}

type Given = Record<string, unknown>;

export function addPairCommands(program: Command): void {
  const host = program.command('host').description('the daemon that runs services on this machine');
  host.addHelpText(
    'after',
    `
Examples:
  understudy host key pair.key                   once; the same key on every host and on the witness
  understudy host example >host-a.yaml
  understudy host check host-a.yaml
  understudy host start --config host-a.yaml`,
  );
  host
    .command('start')
    .description('run the daemon of this host, in the foreground')
    .requiredOption('-c, --config <file>', 'its configuration')
    .option('--json', 'log lines as JSON')
    .addHelpText(
      'after',
      `
Ctrl-C or SIGTERM hands protected services over to their backups, stops the others, and removes what the daemon made on
this machine. A daemon that dies takes its guests with it; the backups take over.`,
    )
    .action(async (options: { config: string; json?: boolean }) => {
      process.exitCode = await (await import('./commands/host.js')).hostStart(options);
    });
  host
    .command('check')
    .description('check a configuration, without starting anything')
    .argument('<file>')
    .option('--json', 'print it as it is understood')
    .action(async (file: string, options: Given) => {
      process.exitCode = (await import('./commands/host.js')).hostCheck(file, options);
    });
  asks(host.command('status').description('the daemon, its coordinator, its peers')).action(async (options: Given) => {
    process.exitCode = await (await import('./commands/host.js')).hostStatus(options);
  });
  host
    .command('key')
    .description('make a new pre-shared key')
    .argument('<file>')
    .action(async (file: string) => {
      process.exitCode = (await import('./commands/host.js')).hostKey(file);
    });
  host
    .command('example')
    .description('print a configuration to begin with')
    .action(async () => {
      process.exitCode = (await import('./commands/host.js')).hostExample();
    });

  const witness = program.command('witness').description('the third, data-less member that decides on roles');
  witness
    .command('start')
    .description('run the witness, in the foreground')
    .requiredOption('-l, --listen <address:port>', 'where hosts reach it')
    .requiredOption('-d, --data <dir>', 'directory for its records')
    .requiredOption('-k, --key <file>', 'the key file of the pair')
    .option('--json', 'log lines as JSON')
    .addHelpText('after', '\nIt belongs on a third machine: one that fails with neither host.')
    .action(async (options: { listen: string; data: string; key: string; json?: boolean }) => {
      process.exitCode = await (await import('./commands/host.js')).witnessStart(options);
    });

  const service = program.command('service').description('start, stop and look into services');
  service.addHelpText(
    'after',
    `
Examples:
  understudy service example >orders.yaml
  understudy service check orders.yaml
  understudy service apply orders.yaml
  understudy service logs orders --follow
  understudy service stop orders`,
  );
  asks(
    service
      .command('apply')
      .description('start a service as its file says: a replica on one host, the primary on the other')
      .argument('<file>'),
  )
    .addHelpText('after', TARGET_HELP)
    .action(async (file: string, options: Given) => {
      process.exitCode = await (await import('./commands/service.js')).serviceApply(file, options);
    });
  service
    .command('check')
    .description('check a definition, without starting anything')
    .argument('<file>')
    .option('--json', 'print it as it is understood')
    .action(async (file: string, options: Given) => {
      process.exitCode = (await import('./commands/service.js')).serviceCheck(file, options);
    });
  service
    .command('example')
    .description('print a definition to begin with')
    .action(async () => {
      process.exitCode = (await import('./commands/service.js')).serviceExample();
    });
  asks(
    service
      .command('stop')
      .description('end a service on both hosts')
      .argument('<service>')
      .option('--force', 'its recorded primary is off for good: forget it'),
  ).action(async (name: string, options: Given) => {
    process.exitCode = await (await import('./commands/service.js')).serviceStop(name, options);
  });
  asks(
    service
      .command('remove')
      .description('forget a stopped service, with its journals, output and history, on both hosts')
      .argument('<service>'),
  ).action(async (name: string, options: Given) => {
    process.exitCode = await (await import('./commands/service.js')).serviceRemove(name, options);
  });
  asks(
    service
      .command('logs')
      .description("what the service wrote to its standard output and error on the asked daemon's host")
      .argument('<service>')
      .option('-f, --follow', 'go on as more is written'),
  ).action(async (name: string, options: Given) => {
    process.exitCode = await (await import('./commands/service.js')).serviceLogs(name, options);
  });
  asks(
    service
      .command('history')
      .description('what happened to a service, on both hosts')
      .argument('<service>')
      .addOption(
        new Option('-n, --lines <n>', 'so many of the newest').default(50).argParser(forCommander(parsePositive)),
      ),
  ).action(async (name: string, options: Given) => {
    process.exitCode = await (await import('./commands/service.js')).serviceHistory(name, options as { lines: number });
  });

  asks(
    program
      .command('list')
      .description('the services of a host: role, state, epoch, lag, what could be lost')
      .option('-w, --watch', 'again and again')
      .addOption(new Option('--every <seconds>', 'with --watch').default(1).argParser(forCommander(parseSeconds))),
  )
    .addHelpText(
      'after',
      `${TARGET_HELP}\n\nExamples:\n  understudy list\n  understudy list -w\n  understudy list --json`,
    )
    .action(async (options: Given) => {
      process.exitCode = await (await import('./commands/service.js')).list(options as { every: number });
    });
  asks(
    program
      .command('failover')
      .description('move a protected service to its backup now')
      .argument('<service>')
      .option('--force', 'asked of the host with the replica: take over without the primary'),
  )
    .addHelpText(
      'after',
      `${TARGET_HELP}

The primary stops letting anything out, then the backup takes over. With --force the replica's host asks the coordinator at
once; that is as safe: the old primary can let out nothing new from then on.

Examples:
  understudy failover orders
  understudy failover orders --force --daemon host-b`,
    )
    .action(async (name: string, options: Given) => {
      process.exitCode = await (await import('./commands/service.js')).failover(name, options);
    });
  asks(
    program
      .command('reinstate')
      .description('give a service that runs without a backup a new one')
      .argument('<service>')
      .option('--to <host>', 'the host that is to become its backup (default: the other one)'),
  )
    .addHelpText(
      'after',
      `${TARGET_HELP}

The running program's state goes to the other host while it serves on; when the replica there has caught up and the coordinator has
named it, the service is protected again. A service does this by itself unless its definition says 'reinstate: { auto: false }'.
Ctrl-C ends the command only: 'understudy list' shows how far it is.

Examples:
  understudy reinstate orders
  understudy reinstate orders --to host-a --json`,
    )
    .action(async (name: string, options: Given) => {
      process.exitCode = await (await import('./commands/moves.js')).reinstate(name, options);
    });
  asks(
    program
      .command('switchover')
      .description('move a protected service to the other host, as planned: checked in stages, nothing lost')
      .argument('<service>')
      .option('--to <host>', 'where to (default: the host with its replica)')
      .addOption(
        new Option('--at <time>', 'not now, but at this time: +10m, 22:30, 2026-05-01T04:00').argParser(
          forCommander((text: string) => parseMoment(text)),
        ),
      )
      .option('--dry-run', 'make all the checks, and change nothing')
      .addOption(
        new Option('--cancel', 'call off the one that is planned or being checked').conflicts(['at', 'dryRun']),
      ),
  )
    .addHelpText(
      'after',
      `${TARGET_HELP}

Stages: both hosts there, same version, fitting processor, storage, network, a complete replica, a small lag; then the hand-over. Ctrl-C
before the hand-over calls it off, and nothing has changed. One that is planned with --at is checked at that time; it is gone if the
daemon of the primary ends before.

Examples:
  understudy switchover orders --dry-run
  understudy switchover orders
  understudy switchover orders --at 04:00
  understudy switchover orders --cancel`,
    )
    .action(async (name: string, options: Given) => {
      process.exitCode = await (await import('./commands/moves.js')).switchover(name, options);
    });
  asks(program.command('explain').description('the last failover of a service, step by step').argument('<service>'))
    .addHelpText('after', `${TARGET_HELP}\n\nExamples:\n  understudy explain orders`)
    .action(async (name: string, options: Given) => {
      process.exitCode = await (await import('./commands/service.js')).explain(name, options);
    });
}
