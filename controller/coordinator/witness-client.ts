// The driver `embedded`: a client of the witness, over one connection that is kept.
import { UnderstudyError } from '../../journal/src/errors.js';
import { ControlLink, type ControlAddress } from '../wire/client.js';
import type { PeerIdentity } from '../wire/peer.js';
import { COORDINATOR_TIMEOUT_MS, coordinatorUnreachable, type CasResult, type Coordinator } from './coordinator.js';
import type { PairRecord, Versioned } from './record.js';

export class WitnessClient implements Coordinator {
  readonly description: string;
  private readonly link: ControlLink;
  private readonly watches = new Map<string, Set<(versioned: Versioned) => void>>();
  private readonly listeners: ((reachable: boolean, reason: string) => void)[] = [];

  constructor(to: ControlAddress, identity: PeerIdentity) {
    this.description = `witness at ${to.address}:${to.port}`;
    this.link = new ControlLink(to, identity, {
      onNotice: (topic, data) => {
        if (topic === 'record') this.tell(data as Versioned);
      },
      onState: (connected, reason) => {
        for (const listener of this.listeners) listener(connected, reason);
        // What changed while the connection was away.
        if (connected) for (const service of this.watches.keys()) void this.beginWatch(service);
      },
    });
  }

  async read(service: string): Promise<Versioned | undefined> {
    return ((await this.ask('coordinator.read', { service })) as Versioned | null) ?? undefined;
  }

  async compareAndSet(expectedRevision: number, record: PairRecord): Promise<CasResult> {
    return (await this.ask('coordinator.compareAndSet', { expectedRevision, record })) as CasResult;
  }

  watch(service: string, onRecord: (versioned: Versioned) => void): () => void {
    let handlers = this.watches.get(service);
    if (handlers === undefined) this.watches.set(service, (handlers = new Set()));
    handlers.add(onRecord);
    void this.beginWatch(service);
    return () => {
      handlers.delete(onRecord);
      if (handlers.size === 0) this.watches.delete(service);
    };
  }

  onReachable(listener: (reachable: boolean, reason: string) => void): void {
    this.listeners.push(listener);
    if (this.link.isConnected) listener(true, 'connected');
  }

  close(): Promise<void> {
    this.link.close();
    return Promise.resolve();
  }

  private async beginWatch(service: string): Promise<void> {
    try {
      const current = (await this.link.request(
        'coordinator.watch',
        { service },
        COORDINATOR_TIMEOUT_MS,
      )) as Versioned | null;
      if (current !== null) this.tell(current);
    } catch (error) {
      // Not connected: the next connection begins every watch again. An answer that never came is a connection that will end.
      if (!(error instanceof UnderstudyError && error.code === 'E_HOST_UNREACHABLE')) throw error;
    }
  }

  private tell(versioned: Versioned): void {
    for (const handler of this.watches.get(versioned.record.service) ?? []) handler(versioned);
  }

  private async ask(method: string, params: unknown): Promise<unknown> {
    try {
      return await this.link.request(method, params, COORDINATOR_TIMEOUT_MS);
    } catch (error) {
      if (!(error instanceof UnderstudyError && error.code === 'E_HOST_UNREACHABLE')) throw error;
      // After a cut, TCP would wait for longer and longer before it tries this connection again; a new one finds the way at once.
      this.link.restart(error.message);
      throw coordinatorUnreachable(this.description, error.message, error);
    }
  }
}
