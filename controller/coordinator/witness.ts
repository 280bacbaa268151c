// The witness: a third, data-less member that keeps the records. Role: compare-and-set on `level`, served over control connections.
//
// Invariants:
//  - One writer: compares and writes are done one after the other, and each write is on the disk before it is answered.
//  - Revisions rise by one with every write, over all services, and are never given twice, also after a crash.
//  - A watcher gets every record that is written after it began to watch, in order.
//
// Must not: judge what is written. A host that may connect (it has the key) may write what follows from a revision it has seen.
import { mkdirSync } from 'node:fs';

import { Level } from 'level';

import { errnoOf, messageOf, UnderstudyError } from '../../journal/src/errors.js';
import { dispatcher, method, objectSchema } from '../wire/methods.js';
import type { Peer, PeerIdentity } from '../wire/peer.js';
import { listenControl, type ControlServer, type Log } from '../wire/server.js';
import type { CasResult } from './coordinator.js';
import { RECORD_SCHEMA, REVISION_UNKNOWN, SERVICE_NAME_PATTERN, type PairRecord, type Versioned } from './record.js';

/** Records are never deleted; a stranger with the key could otherwise fill the disk. */
const SERVICES_MAX = 10_000;
const REVISION_KEY = 'revision';
const recordKey = (service: string): string => `record!${service}`;

export class Witness {
  private constructor(
    private readonly db: Level<string, unknown>,
    private revision: number,
    private readonly records: Map<string, Versioned>,
  ) {}

  private server: ControlServer | undefined;
  private readonly watchers = new Map<Peer, Set<string>>();
  /** Writes happen behind one another. */
  private last: Promise<unknown> = Promise.resolve();

  static async open(dataDir: string): Promise<Witness> {
    let db: Level<string, unknown>;
    try {
      mkdirSync(dataDir, { recursive: true, mode: 0o700 });
      db = new Level<string, unknown>(dataDir, { valueEncoding: 'json' });
      await db.open();
    } catch (error) {
      const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
      throw new UnderstudyError('E_COORDINATOR', `the witness cannot open ${dataDir}: ${messageOf(cause)}`, {
        hint:
          errnoOf(cause) === 'LEVEL_LOCKED' ? 'Another witness has it open.' : 'Check the path and its permissions.',
        cause: error,
      });
    }
    const records = new Map<string, Versioned>();
    for await (const [key, value] of db.iterator({ gte: 'record!', lt: 'record"' })) {
      records.set(key.slice('record!'.length), value as Versioned);
    }
    const revision = ((await db.get(REVISION_KEY)) as number | undefined) ?? 0;
    return new Witness(db, revision, records);
  }

  read(service: string): Versioned | undefined {
    return this.records.get(service);
  }

  compareAndSet(expectedRevision: number, record: PairRecord): Promise<CasResult> {
    const turn = this.last.then(() => this.write(expectedRevision, record));
    // A failed write is its caller's to know; the next one is not to fail with it.
    this.last = turn.catch(() => undefined);
    return turn;
  }

  private async write(expectedRevision: number, record: PairRecord): Promise<CasResult> {
    const current = this.records.get(record.service);
    if ((current?.revision ?? 0) !== expectedRevision) return { won: false, current };
    if (current === undefined && this.records.size >= SERVICES_MAX) {
      throw new UnderstudyError('E_REFUSED', `the witness has records of ${SERVICES_MAX} services, and takes no more`);
    }
    const versioned: Versioned = { record, revision: this.revision + 1 };
    await this.db.batch(
      [
        { type: 'put', key: recordKey(record.service), value: versioned },
        { type: 'put', key: REVISION_KEY, value: versioned.revision },
      ] as { type: 'put'; key: string; value: unknown }[],
      { sync: true },
    );
    this.revision = versioned.revision;
    this.records.set(record.service, versioned);
    for (const [peer, services] of this.watchers) if (services.has(record.service)) peer.notify('record', versioned);
    return { won: true, revision: versioned.revision };
  }

  async listen(
    at: { address: string; port: number; key: Buffer },
    identity: PeerIdentity,
    log: Log,
  ): Promise<{ port: number }> {
    const service = { type: 'string', pattern: SERVICE_NAME_PATTERN };
    const answer = dispatcher({
      'coordinator.read': method(objectSchema({ service }), (p: { service: string }) => this.read(p.service) ?? null),
      'coordinator.compareAndSet': method(
        objectSchema({ expectedRevision: { type: 'integer', minimum: REVISION_UNKNOWN }, record: RECORD_SCHEMA }),
        async (p: { expectedRevision: number; record: PairRecord }, peer) => {
          const result = await this.compareAndSet(p.expectedRevision, p.record);
          const { service: name, epoch, primary, backup, outcome, reason } = p.record;
          if (result.won)
            log(
              'info',
              `${name}: epoch ${epoch}, primary ${primary ?? 'none'}, backup ${backup ?? 'none'} (${outcome}; ${reason}), by ${peer.remote.name}`,
            );
          else log('info', `${name}: epoch ${epoch} refused to ${peer.remote.name}: the record has changed since`);
          return result;
        },
      ),
      'coordinator.watch': method(objectSchema({ service }), (p: { service: string }, peer) => {
        let services = this.watchers.get(peer);
        if (services === undefined) this.watchers.set(peer, (services = new Set()));
        services.add(p.service);
        return this.read(p.service) ?? null;
      }),
    });
    this.server = await listenControl(
      at,
      identity,
      { onRequest: answer, onClose: (_reason, peer) => this.watchers.delete(peer) },
      log,
    );
    return { port: this.server.port };
  }

  async close(): Promise<void> {
    await this.server?.close();
    await this.last;
    await this.db.close();
  }
}
