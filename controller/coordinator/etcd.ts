// The driver `etcd`: compare-and-set by transactions on mod_revision, through etcd's JSON gateway (v3).
//
// Invariants:
//  - A request whose connection was idle too long is not sent twice by us: keep-alive connections are kept warm, and an error means
//    that the outcome is unknown.
//  - Reads and transactions are linearizable (etcd's default); `serializable` reads are never asked for.
import { Agent, request, type IncomingMessage } from 'node:http';

import { messageOf } from '../../journal/src/errors.js';
import { compileSchema } from '../wire/schema.js';
import { COORDINATOR_TIMEOUT_MS, coordinatorUnreachable, type CasResult, type Coordinator } from './coordinator.js';
import { RECORD_SCHEMA, type PairRecord, type Versioned } from './record.js';

const PREFIX = '/understudy/v1/services/';
/** Also keeps the connection, and so the first claim after a failure, warm. */
const PROBE_EVERY_MS = 2_000;
const WATCH_RETRY_MS = 200;
const ANSWER_BYTES_MAX = 1 << 20;

const encode = (text: string): string => Buffer.from(text).toString('base64');
const checkRecord = compileSchema(RECORD_SCHEMA);

interface KeyValue {
  value: string;
  mod_revision: string;
}
interface RangeAnswer {
  kvs?: KeyValue[];
}
interface TxnAnswer {
  header: { revision: string };
  succeeded?: boolean;
  responses?: { response_range?: RangeAnswer }[];
}

export class EtcdCoordinator implements Coordinator {
  readonly description: string;
  private readonly agent = new Agent({ keepAlive: true, maxSockets: 4, noDelay: true });
  private readonly listeners: ((reachable: boolean, reason: string) => void)[] = [];
  private readonly probe: NodeJS.Timeout;
  private readonly stops = new Set<() => void>();
  private reachable: boolean | undefined;
  /** The endpoint that answered last. */
  private current = 0;

  constructor(private readonly endpoints: readonly string[]) {
    this.description = `etcd at ${endpoints.join(', ')}`;
    this.probe = setInterval(() => void this.probeNow(), PROBE_EVERY_MS);
    void this.probeNow();
  }

  async read(service: string): Promise<Versioned | undefined> {
    const answer = (await this.post('/v3/kv/range', { key: encode(PREFIX + service) })) as RangeAnswer;
    return this.versioned(answer.kvs?.[0]);
  }

  async compareAndSet(expectedRevision: number, record: PairRecord): Promise<CasResult> {
    const key = encode(PREFIX + record.service);
    const answer = (await this.post('/v3/kv/txn', {
      // A key that does not exist has mod_revision 0.
      compare: [{ key, target: 'MOD', result: 'EQUAL', mod_revision: String(expectedRevision) }],
      success: [{ request_put: { key, value: encode(JSON.stringify(record)) } }],
      failure: [{ request_range: { key } }],
    })) as TxnAnswer;
    if (answer.succeeded === true) return { won: true, revision: Number(answer.header.revision) };
    return { won: false, current: this.versioned(answer.responses?.[0]?.response_range?.kvs?.[0]) };
  }

  watch(service: string, onRecord: (versioned: Versioned) => void): () => void {
    let stopped = false;
    let abort: (() => void) | undefined;
    let timer: NodeJS.Timeout | undefined;
    let seen = 0;
    const tell = (versioned: Versioned | undefined): void => {
      if (stopped || versioned === undefined || versioned.revision <= seen) return;
      seen = versioned.revision;
      onRecord(versioned);
    };
    const begin = async (): Promise<void> => {
      try {
        tell(await this.read(service));
        if (stopped) return;
        // From the record that is known on; one that is written between the read and this is not missed.
        await this.stream(
          '/v3/watch',
          { create_request: { key: encode(PREFIX + service), start_revision: String(seen + 1) } },
          (line) => {
            const events = (line as { result?: { events?: { kv?: KeyValue }[] } }).result?.events ?? [];
            for (const event of events) tell(this.versioned(event.kv));
          },
          (stop) => (abort = stop),
        );
      } catch (error) {
        this.note(false, messageOf(error));
      }
      if (!stopped) timer = setTimeout(() => void begin(), WATCH_RETRY_MS);
    };
    const stop = (): void => {
      stopped = true;
      clearTimeout(timer);
      abort?.();
      this.stops.delete(stop);
    };
    this.stops.add(stop);
    void begin();
    return stop;
  }

  onReachable(listener: (reachable: boolean, reason: string) => void): void {
    this.listeners.push(listener);
    if (this.reachable !== undefined) listener(this.reachable, 'as last seen');
  }

  close(): Promise<void> {
    clearInterval(this.probe);
    for (const stop of [...this.stops]) stop();
    this.agent.destroy();
    return Promise.resolve();
  }

  private versioned(kv: KeyValue | undefined): Versioned | undefined {
    if (kv?.value === undefined) return undefined;
    let record: unknown;
    try {
      record = JSON.parse(Buffer.from(kv.value, 'base64').toString('utf8'));
    } catch (error) {
      throw coordinatorUnreachable(this.description, 'a record there is not ours', error);
    }
    if (!checkRecord(record)) throw coordinatorUnreachable(this.description, 'a record there is not ours');
    return { record: record as PairRecord, revision: Number(kv.mod_revision) };
  }

  private async probeNow(): Promise<void> {
    try {
      await this.post('/v3/kv/range', { key: encode(`${PREFIX}?`), keys_only: true });
    } catch (error) {
      this.note(false, messageOf(error));
    }
  }

  private note(reachable: boolean, reason: string): void {
    if (this.reachable === reachable) return;
    this.reachable = reachable;
    for (const listener of this.listeners) listener(reachable, reason);
  }

  private async post(path: string, body: unknown): Promise<unknown> {
    let text = '';
    try {
      const answer = await this.send(path, body, COORDINATOR_TIMEOUT_MS);
      for await (const chunk of answer) {
        text += (chunk as Buffer).toString('utf8');
        if (text.length > ANSWER_BYTES_MAX) throw new Error('an answer that is too long');
      }
      const parsed = JSON.parse(text) as { error?: string; message?: string };
      if (answer.statusCode !== 200)
        throw new Error(parsed.error ?? parsed.message ?? `status ${answer.statusCode ?? 'unknown'}`);
      this.note(true, 'answers');
      return parsed;
    } catch (error) {
      // The next request tries another member; this one is not repeated, it may have been carried out.
      this.current = (this.current + 1) % this.endpoints.length;
      this.note(false, messageOf(error));
      throw coordinatorUnreachable(this.description, messageOf(error), error);
    }
  }

  private send(path: string, body: unknown, timeoutMs: number): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const url = new URL(path, this.endpoints[this.current]);
      const payload = Buffer.from(JSON.stringify(body));
      const asked = request(
        url,
        {
          method: 'POST',
          agent: this.agent,
          headers: { 'content-type': 'application/json', 'content-length': payload.length },
        },
        (answer) => {
          answer.on('close', () => clearTimeout(timer));
          resolve(answer);
        },
      );
      const timer = setTimeout(() => asked.destroy(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
      asked.on('error', (error) => {
        clearTimeout(timer);
        reject(error);
      });
      asked.end(payload);
    });
  }

  /** Newline-delimited JSON, for as long as it comes. */
  private stream(
    path: string,
    body: unknown,
    onLine: (line: unknown) => void,
    onAbort: (abort: () => void) => void,
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      const asked = request(new URL(path, this.endpoints[this.current]), {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
      });
      onAbort(() => asked.destroy());
      asked.on('error', reject);
      asked.on('close', () => resolve());
      asked.on('response', (answer) => {
        let rest = '';
        answer.on('error', reject);
        answer.on('data', (chunk: Buffer) => {
          rest += chunk.toString('utf8');
          if (rest.length > ANSWER_BYTES_MAX) return asked.destroy(new Error('an answer that is too long'));
          const lines = rest.split('\n');
          rest = lines.pop()!;
          try {
            for (const line of lines) if (line !== '') onLine(JSON.parse(line));
          } catch (error) {
            asked.destroy(error instanceof Error ? error : new Error(String(error)));
          }
        });
        answer.on('end', () => resolve());
      });
      asked.end(JSON.stringify(body));
    });
  }
}
