// The other hosts, as this daemon reaches them: one lasting connection to each.
import { UnderstudyError } from '../../journal/src/errors.js';
import type { HostPeer } from '../config/host-config.js';
import { ControlLink } from '../wire/client.js';
import type { PeerIdentity } from '../wire/peer.js';
import type { Log } from '../wire/server.js';

const CONNECT_WAIT_MS = 2_000;

export class PeerDirectory {
  private readonly links = new Map<string, { link: ControlLink; connected: boolean; reason: string }>();

  constructor(peers: readonly HostPeer[], key: Buffer, identity: PeerIdentity, log: Log) {
    for (const { name, address, port } of peers) {
      const entry = {
        connected: false,
        reason: 'not connected yet',
        link: new ControlLink({ address, port, key }, identity, {
          onState: (connected, reason) => {
            entry.connected = connected;
            entry.reason = reason;
            log(
              connected ? 'info' : 'warning',
              `host ${name} ${connected ? 'is connected' : `is not connected: ${reason}`}`,
            );
          },
        }),
      };
      this.links.set(name, entry);
    }
  }

  async ask(name: string, method: string, params: unknown, timeoutMs?: number): Promise<unknown> {
    const entry = this.links.get(name);
    if (entry === undefined)
      throw new UnderstudyError('E_CONFIG', `this host has no peer '${name}' in its configuration`, {
        hint: `Known are: ${[...this.links.keys()].join(', ') || 'none'}. Add it to 'peers'.`,
      });
    // Daemons that were started a moment ago, or whose connection just broke, find each other within this time.
    await entry.link.connectedWithin(CONNECT_WAIT_MS);
    return await entry.link.request(method, params, timeoutMs);
  }

  isConnected(name: string): boolean {
    return this.links.get(name)?.link.isConnected ?? false;
  }

  list(): { name: string; connected: boolean; reason: string }[] {
    return [...this.links].map(([name, { link, reason }]) => ({ name, connected: link.isConnected, reason }));
  }

  close(): void {
    for (const { link } of this.links.values()) link.close();
  }
}
