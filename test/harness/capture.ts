// What is on the wire, as the bridge sees it: which host sent packets with which address, and when.
//
// Invariant: only packets that arrive at the bridge from a host are looked at, once each: what a host's own rules dropped is not on
// the wire, and what the bridge delivers is not counted twice.
import { setTimeout as sleep } from 'node:timers/promises';

import { hosts, type Host, type Rig } from './rig.js';

export interface CapturedPacket {
  /** Seconds since 1970. */
  at: number;
  from: Host;
  /** tcpdump's words. */
  text: string;
}

const START_TIMEOUT_MS = 5_000;

export class Capture {
  private readonly texts = new Map<Host, string>();

  private constructor(private readonly rig: Rig) {}

  /** Captures what each host sends with the VIP as its source, ARP for it included. */
  static async start(rig: Rig): Promise<Capture> {
    const capture = new Capture(rig);
    for (const host of hosts) {
      const filter = `src host ${rig.vip} or (arp and arp[14:4] = 0x${hex(rig.vip)})`;
      const argv = ['tcpdump', '--immediate-mode', '-l', '-n', '-tt', '-Q', 'in', '-i', `v${host}`, filter];
      const child = rig.spawn('net', `capture-${host}`, argv, 'pipes');
      capture.texts.set(host, '');
      child.stdout!.on('data', (chunk: Buffer) => capture.texts.set(host, capture.texts.get(host)! + chunk.toString()));
    }
    for (
      const deadline = Date.now() + START_TIMEOUT_MS;
      !hosts.every((host) => rig.log(`capture-${host}`).includes('listening on'));
    ) {
      if (Date.now() > deadline)
        throw new Error(`tcpdump did not start: ${hosts.map((host) => rig.log(`capture-${host}`)).join('')}`);
      await sleep(5);
    }
    return capture;
  }

  /** Everything until now, in the order of time. */
  async packets(): Promise<CapturedPacket[]> {
    // What tcpdump has read is written at once; what the kernel has is read within this time.
    await sleep(100);
    return hosts
      .flatMap((from) =>
        this.texts
          .get(from)!
          .split('\n')
          .filter(Boolean)
          .map((line) => ({
            at: Number(line.slice(0, line.indexOf(' '))),
            from,
            text: line.slice(line.indexOf(' ') + 1),
          })),
      )
      .sort((a, b) => a.at - b.at);
  }
}

const hex = (address: string): string =>
  address
    .split('.')
    .map((part) => Number(part).toString(16).padStart(2, '0'))
    .join('');
