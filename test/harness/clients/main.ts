// The client program: some conversations at once, in a process of its own, inside the client's namespace. It is told what to do by
// its one argument, reports to its parent every 100 ms, and ends when told to, after reviewing what the server must have kept.
//
// Must not: import anything that makes its start slow.
import { Conversation, Waits, type ConversationReport } from './conversation.js';
import { dialogues, randomFrom, type DialogueName } from './dialogues.js';

export interface ClientOptions {
  host: string;
  port: number;
  dialogue: DialogueName;
  connections: number;
  /** Between an answer and the next request, on average. */
  pauseMs: number;
  seed: number;
  /** Connections are numbered from here: no two clients of one server may have the same numbers. */
  firstId: number;
}

export interface ClientProgress {
  type: 'progress';
  at: number;
  requests: number;
  /** The longest wait since the last report, those that still go on included. */
  longestMs: number;
  errors: number;
}

export interface ClientResult extends ConversationReport {
  type: 'result';
  connections: number;
  medianMs: number;
  p99Ms: number;
}

export type ClientMessage = { type: 'connected' } | ClientProgress | ClientResult;

const REPORT_EVERY_MS = 100;

const say = (message: ClientMessage): Promise<void> =>
  new Promise((resolve) => void process.send!(message, () => resolve()));

async function main(options: ClientOptions): Promise<void> {
  const waits = new Waits();
  const all = Array.from({ length: options.connections }, (_, i) => {
    const id = options.firstId + i;
    return new Conversation(dialogues[options.dialogue](id, randomFrom(options.seed + id)), waits);
  });
  let stop = false;
  process.on('message', (word) => (stop ||= word === 'stop'));
  process.on('disconnect', () => process.exit(1));
  for (const conversation of all) await conversation.open(options.host, options.port);
  await say({ type: 'connected' });

  const requests = (): number => all.reduce((sum, c) => sum + c.report.requests, 0);
  const timer = setInterval(() => {
    const longestMs = Math.max(waits.takeLongestMs(), ...all.map((c) => c.pendingMs));
    const errors = all.reduce((sum, c) => sum + c.report.errors.length, 0);
    void say({ type: 'progress', at: Date.now(), requests: requests(), longestMs, errors });
  }, REPORT_EVERY_MS);
  await Promise.all(all.map((c) => c.talk(() => stop, options.pauseMs)));
  clearInterval(timer);
  const talked = requests();
  await Promise.all(all.map((c) => c.review()));

  const worst = all.map((c) => c.report).reduce((a, b) => (b.longestMs > a.longestMs ? b : a));
  await say({
    type: 'result',
    connections: all.length,
    requests: talked,
    bytesIn: all.reduce((sum, c) => sum + c.report.bytesIn, 0),
    bytesOut: all.reduce((sum, c) => sum + c.report.bytesOut, 0),
    errors: all.flatMap((c) => c.report.errors),
    longestMs: worst.longestMs,
    longestAt: worst.longestAt,
    medianMs: waits.quantileMs(0.5),
    p99Ms: waits.quantileMs(0.99),
  });
  for (const conversation of all) conversation.close();
  process.disconnect();
}

await main(JSON.parse(process.argv[2]!) as ClientOptions);
