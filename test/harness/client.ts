// A client process (clients/main.ts) in a rig's client namespace, as its parent sees it.
import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';

import type { ClientMessage, ClientOptions, ClientProgress, ClientResult } from './clients/main.js';
import { root } from './paths.js';
import type { Place, Rig } from './rig.js';

const CONNECT_TIMEOUT_MS = 10_000;

let started = 0;

export class Client {
  progress: ClientProgress = { type: 'progress', at: 0, requests: 0, longestMs: 0, errors: 0 };
  onProgress: ((progress: ClientProgress) => void) | undefined;
  private readonly label = `client-${++started}`;
  private readonly child: ChildProcess;
  private readonly connected: Promise<void>;
  private readonly over: Promise<ClientResult>;

  private constructor(rig: Rig, place: Place, options: ClientOptions) {
    const argv = [
      process.execPath,
      '--no-warnings',
      join(root, 'dist/test/harness/clients/main.js'),
      JSON.stringify(options),
    ];
    this.child = rig.spawn(place, this.label, argv, 'ipc');
    let isConnected!: () => void;
    let isOver!: (result: ClientResult) => void;
    let isBroken!: (error: Error) => void;
    this.connected = new Promise((resolve) => (isConnected = resolve));
    this.over = new Promise((resolve, reject) => {
      isOver = resolve;
      isBroken = reject;
    });
    // Whoever waits for one of the two learns of it there.
    this.over.catch(() => undefined);
    this.child.on('message', (message: ClientMessage) => {
      if (message.type === 'connected') isConnected();
      else if (message.type === 'result') isOver(message);
      else {
        this.progress = message;
        this.onProgress?.(message);
      }
    });
    this.child.on('exit', (code, signal) =>
      isBroken(new Error(`${this.label} ended (${signal ?? code}) without a result; see its log in ${rig.dir}`)),
    );
  }

  /** Resolves when all of its connections stand. */
  static async start(
    rig: Rig,
    options: Partial<ClientOptions> & Pick<ClientOptions, 'port' | 'dialogue'>,
    place: Place = 'c',
  ): Promise<Client> {
    const whole = { host: rig.vip, connections: 1, pauseMs: 0, seed: 1, firstId: 1, ...options };
    const client = new Client(rig, place, whole);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => reject(new Error(`${client.label} has no connections after ${CONNECT_TIMEOUT_MS} ms`)),
        CONNECT_TIMEOUT_MS,
      );
    });
    try {
      await Promise.race([client.connected, client.over, late]);
    } finally {
      clearTimeout(timer);
    }
    return client;
  }

  /** Waits until this many more requests have been answered. */
  async answered(more: number, timeoutMs = 25_000): Promise<void> {
    const wanted = this.progress.requests + more;
    const deadline = Date.now() + timeoutMs;
    while (this.progress.requests < wanted) {
      if (this.progress.errors > 0)
        throw new Error(`${this.label} has failed: ${(await this.stop()).errors.join('; ')}`);
      if (Date.now() > deadline)
        throw new Error(`${this.label} got ${this.progress.requests} of ${wanted} answers in ${timeoutMs} ms`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  /** Lets it review what the server has, and end. */
  async stop(timeoutMs = 20_000): Promise<ClientResult> {
    if (this.child.connected) this.child.send('stop');
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => reject(new Error(`${this.label} has no result after ${timeoutMs} ms: an answer is missing`)),
        timeoutMs,
      );
    });
    try {
      return await Promise.race([this.over, late]);
    } finally {
      clearTimeout(timer);
    }
  }
}
