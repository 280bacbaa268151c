// The demo: redis-server protected on two hosts, clients at work, everything on the first host killed. Shows what is seen meanwhile,
// and checks what it claims at the end.
//
// Exit status: 0, all claims hold; 1, one does not; 75, two hosts cannot be made on this machine (said why); 130, interrupted.
import { setTimeout as sleep } from 'node:timers/promises';

import { count } from '../cli/format.js';
import { messageOf } from '../journal/src/errors.js';
import { Capture } from '../test/harness/capture.js';
import { Client } from '../test/harness/client.js';
import { hosts, Rig, whyNoRig, type Host } from '../test/harness/rig.js';
import { CliClient } from './cli-client.js';
import { Display, SLOT_MS, type ClientView, type HostView } from './display.js';

const EX_CANNOT = 75;
const EX_INTERRUPTED = 130;
const SERVICE = 'orders';
const PORT = 6379;
const BEFORE_MS = 4_000;
const AFTER_MS = 4_000;

const ORDERS = (vip: string): string => `name: ${SERVICE}
command: [redis-server, --port, '${PORT}', --save, '', --bind, '0.0.0.0', --protected-mode, 'no']
hosts:
  - { name: host-a, priority: 100 }
  - { name: host-b, priority: 50 }
vip: { address: ${vip}, prefix: 24, interface: eth0 }
ports: { tcp: [${PORT}] }
`;

const display = new Display();

/** A client of the show: its view for the display, and how its view is brought up to date. */
interface Player {
  view: ClientView;
  look(): void;
}

function player(
  name: string,
  connections: number,
  requests: () => number,
  errors: () => number,
  longest: () => number,
): Player {
  const view: ClientView = { name, connections, requests: 0, errors: 0, rates: [], longestMs: 0 };
  return {
    view,
    look: () => {
      const now = requests();
      view.rates.push(now - view.requests);
      view.requests = now;
      view.errors = errors();
      view.longestMs = Math.max(view.longestMs, longest());
    },
  };
}

async function checker(
  rig: Rig,
  name: string,
  connections: number,
  pauseMs: number,
  firstId: number,
): Promise<{ client: Client; player: Player }> {
  const client = await Client.start(rig, {
    port: PORT,
    dialogue: 'redis',
    connections,
    pauseMs,
    firstId,
    seed: firstId,
  });
  const { view, look } = player(
    name,
    connections,
    () => client.progress.requests,
    () => client.progress.errors,
    () => client.progress.longestMs,
  );
  return { client, player: { view, look } };
}

/** What each host says of itself, asked again and again. */
class HostWatch {
  readonly views: HostView[] = hosts.map((host) => ({ name: `host-${host}`, text: 'starting', color: 'yellow' }));
  dead: Host | undefined;
  private over = false;
  private readonly loop: Promise<void>;

  constructor(private readonly rig: Rig) {
    this.loop = this.watch();
  }
  async stop(): Promise<void> {
    this.over = true;
    await this.loop;
  }

  private async watch(): Promise<void> {
    while (!this.over) {
      for (const [i, host] of hosts.entries()) this.views[i] = { name: `host-${host}`, ...(await this.view(host)) };
      await sleep(50);
    }
  }

  private async view(host: Host): Promise<Omit<HostView, 'name'>> {
    if (this.dead === host) return { text: 'DEAD, everything on it was killed', color: 'red' };
    try {
      const row = await this.rig.row(host, SERVICE);
      if (row === undefined) return { text: 'idle', color: 'yellow' };
      if (row.role === 'primary') {
        const how = row.state === 'protected' ? 'protected' : row.state;
        return { text: `PRIMARY, epoch ${row.epoch}, ${how}`, color: row.state === 'protected' ? 'green' : 'yellow' };
      }
      if (row.role === 'backup')
        return { text: `backup, its replica is ${count(row.lag.events)} events behind`, color: 'green' };
      return { text: row.state, color: 'yellow' };
    } catch (error) {
      return { text: this.dead === host ? 'DEAD' : messageOf(error), color: 'red' };
    }
  }
}

async function show(rig: Rig): Promise<boolean> {
  display.title('1. Two hosts, a witness and a client, each with a network of its own, at one bridge');
  display.command('understudy witness start --listen 10.77.0.4:7399 --data records --key pair.key');
  for (const host of hosts)
    display.command(
      `understudy host start --config host-${host}.yaml          # on host-${host}, ${rig.addressOf(host)}`,
    );

  display.title('2. redis-server, as Debian ships it, protected');
  rig.write('orders.yaml', ORDERS(rig.vip));
  for (const line of ORDERS(rig.vip).trimEnd().split('\n')) display.say(`  ${line}`);
  display.command('understudy service apply orders.yaml');
  const applied = rig.understudy('a', 'service', 'apply', 'orders.yaml');
  display.say(`  ${(applied.out + applied.err).trim()}`);
  if (applied.status !== 0) return false;
  await untilAccepts(rig);

  display.title(`3. Clients at work. In ${BEFORE_MS / 1000} seconds, host-a is killed`);
  const capture = await Capture.start(rig);
  const many = await checker(rig, 'node', 40, 25, 1);
  const one = await checker(rig, 'node', 1, 0, 1000);
  const cli = new CliClient(rig, 'typed', 5);
  const cliPlayer = player(
    'redis-cli',
    1,
    () => cli.typed.requests,
    () => cli.typed.errors.length,
    () => cli.takeLongestMs(),
  );
  const players = [many.player, one.player, cliPlayer];
  const watch = new HostWatch(rig);
  const timer = setInterval(() => {
    for (const p of players) p.look();
    display.draw(
      watch.views,
      players.map((p) => p.view),
    );
  }, SLOT_MS);

  await sleep(BEFORE_MS);
  const before = players.map((p) => p.view.longestMs);
  const victims = rig.processes('a');
  rig.signalAll('a', 'SIGKILL');
  const killedAt = Date.now();
  watch.dead = 'a';
  display.event(
    `kill -9: all ${victims.length} processes on host-a (${victims.map(({ comm }) => comm).join(', ')})`,
    'red',
  );
  await sleep(AFTER_MS);
  clearInterval(timer);
  await watch.stop();
  for (const p of players) p.look();
  display.draw(
    watch.views,
    players.map((p) => p.view),
  );
  display.keep();

  display.title('4. What the clients saw');
  const results = [await many.client.stop(), await one.client.stop()];
  const typed = await cli.stop();
  const packets = await capture.packets();
  return judge(rig, [...results, { ...typed, connections: 1 }], before, killedAt, packets);
}

interface Outcome {
  requests: number;
  connections: number;
  errors: string[];
  longestMs: number;
  longestAt: number;
}

function judge(
  rig: Rig,
  outcomes: readonly Outcome[],
  before: readonly number[],
  killedAt: number,
  packets: Awaited<ReturnType<Capture['packets']>>,
): boolean {
  let good = true;
  const check = (holds: boolean, text: string, why = ''): void => {
    good &&= holds;
    display.say(
      `  ${holds ? display.paint('✓', 'green') : display.paint('✗', 'red')} ${text}${holds || why === '' ? '' : `: ${why}`}`,
    );
  };
  const total = (of: (o: Outcome) => number): number => outcomes.reduce((sum, o) => sum + of(o), 0);
  const errors = outcomes.flatMap((o) => o.errors);
  const longest = outcomes.reduce((a, b) => (b.longestMs > a.longestMs ? b : a));
  check(
    total((o) => o.requests) > 0,
    `${count(total((o) => o.requests))} requests answered, over ${total((o) => o.connections)} connections`,
  );
  check(
    errors.length === 0,
    'errors: 0; connections closed, reset or opened again: 0; wrong or repeated answers: 0',
    errors.join('; '),
  );
  check(
    errors.length === 0,
    'data: every key has the value that the clients know it must have, running hashes over all input included',
  );
  const firstOfB = packets.find(({ from }) => from === 'b');
  const late = packets.filter(({ from, at }) => from === 'a' && firstOfB !== undefined && at > firstOfB.at);
  check(
    firstOfB !== undefined && late.length === 0,
    `on the wire: no packet of ${rig.vip} from host-a after the first one from host-b`,
    late[0]?.text,
  );
  const explained = rig.understudy('b', 'explain', SERVICE);
  check(explained.status === 0, 'host-b is the primary now, alone (epoch 2)', explained.err);

  const at = longest.longestAt - killedAt;
  const when = at >= -500 && at < 1000 ? 'when host-a died' : 'at another time';
  display.say(
    `    longest wait for an answer: ${longest.longestMs.toFixed(1)} ms, ${when}; before that ${Math.max(...before).toFixed(1)} ms`,
  );
  if (longest.longestMs > 190)
    display.say(
      '    (a client whose packet reached a host that was dead already sends it again after 200 ms: TCP, not us)',
    );

  display.title('5. What happened');
  display.command(`understudy explain ${SERVICE}          # on host-b`);
  for (const line of explained.out.trimEnd().split('\n')) display.say(`  ${line}`);
  display.say();
  display.say(
    good
      ? `${display.paint('The host died; its clients did not notice.', 'green')} Your own service: docs/configuration.md. Recording and replaying: scripts/demo record`
      : display.paint('That was not as it should be.', 'red'),
  );
  return good;
}

async function untilAccepts(rig: Rig): Promise<void> {
  for (let i = 0; i < 100; i++) {
    if (rig.run('c', ['redis-cli', '-h', rig.vip, 'ping']).out === 'PONG\n') return;
    await sleep(50);
  }
  throw new Error(`redis-server does not answer at ${rig.vip}:${PORT}`);
}

async function main(): Promise<number> {
  display.say(display.paint("Understudy: a server's host dies, and its clients do not notice", 'bold'));
  const cannot = whyNoRig();
  if (cannot !== undefined) {
    display.say(
      `Two hosts cannot be shown here: ${cannot}. Instead, what needs no privileges: recording and replaying.`,
    );
    display.say();
    return EX_CANNOT;
  }
  let rig: Rig | undefined;
  let interrupted = false;
  const stop = (): void => {
    if (interrupted) return;
    interrupted = true;
    display.keep();
    display.say('\ninterrupted: everything is being removed');
    void (rig?.close() ?? Promise.resolve()).finally(() => process.exit(EX_INTERRUPTED));
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  try {
    rig = new Rig({ label: 'demo' });
    await rig.startAll();
    return (await show(rig)) ? 0 : 1;
  } catch (error) {
    // What fails because everything is being removed is no failure.
    if (interrupted) return await new Promise<never>(() => undefined);
    display.keep();
    display.say(`${display.paint('error:', 'red')} ${messageOf(error)}`);
    if (rig !== undefined) display.say(rig.logs());
    return 1;
  } finally {
    if (!interrupted) await rig?.close();
  }
}

process.exit(await main());
