// Connecting to a daemon or a witness: once, for a command; or for good, with a link that comes back by itself.
//
// Invariant: a request is sent at most once. When the connection breaks under it, its outcome is unknown and the caller is told so.
import { createConnection } from 'node:net';
import { connect as connectTls } from 'node:tls';

import { errnoOf, messageOf, UnderstudyError } from '../../journal/src/errors.js';
import { Peer, unreachable, type PeerHandlers, type PeerIdentity } from './peer.js';
import { PSK_IDENTITY, PSK_TLS } from './server.js';

const CONNECT_TIMEOUT_MS = 2_000;
const RETRY_FIRST_MS = 50;
const RETRY_MAX_MS = 1_000;
/** Finds a connection whose other end vanished without a word, and keeps the path (ARP, TCP window) warm. */
const PING_EVERY_MS = 1_000;
const PING_TIMEOUT_MS = 2_000;

export interface ControlAddress {
  address: string;
  port: number;
  key: Buffer;
}

export async function connectControl(
  to: ControlAddress,
  identity: PeerIdentity,
  handlers: PeerHandlers = {},
): Promise<Peer> {
  const where = `${to.address}:${to.port}`;
  const socket = connectTls({
    host: to.address,
    port: to.port,
    ...PSK_TLS,
    pskCallback: () => ({ psk: to.key, identity: PSK_IDENTITY }),
    // The key proves who they are; there is no certificate to name.
    checkServerIdentity: () => undefined,
  });
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => {
      socket.destroy();
      reject(unreachable(`${where} did not answer within ${CONNECT_TIMEOUT_MS} ms`));
    }, CONNECT_TIMEOUT_MS);
    socket.once('secureConnect', () => {
      clearTimeout(timer);
      resolve();
    });
    socket.once('error', (error) => {
      clearTimeout(timer);
      const refused = /decrypt|handshake|alert|bad record/i.test(messageOf(error));
      reject(
        unreachable(
          refused ? `${where} refused the key (${messageOf(error)})` : `${where}: ${messageOf(error)}`,
          error,
        ),
      );
    });
  });
  socket.setNoDelay(true);
  const peer = new Peer(socket, identity, handlers, where);
  await peer.ready;
  return peer;
}

export async function connectUnix(path: string, identity: PeerIdentity): Promise<Peer> {
  const socket = createConnection(path);
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', (error) => {
      const gone = ['ENOENT', 'ECONNREFUSED'].includes(errnoOf(error) ?? '');
      reject(
        new UnderstudyError(
          'E_HOST_UNREACHABLE',
          gone ? `no daemon serves ${path}` : `cannot talk to the daemon at ${path}: ${messageOf(error)}`,
          {
            hint: gone
              ? "Start it with 'understudy host start --config FILE', or name another with --socket or --host."
              : 'The socket belongs to the user that started the daemon.',
            cause: error,
          },
        ),
      );
    });
  });
  const peer = new Peer(socket, identity, {}, path);
  await peer.ready;
  return peer;
}

export interface LinkHandlers extends PeerHandlers {
  /** Connected, or not any more; not called twice in a row with the same value. */
  onState?: (connected: boolean, reason: string) => void;
}

/** A connection that is made again whenever it breaks. */
export class ControlLink {
  private peer: Peer | undefined;
  private stopped = false;
  private retryMs = RETRY_FIRST_MS;
  private timer: NodeJS.Timeout | undefined;
  private ping: NodeJS.Timeout | undefined;
  private connected = false;
  private lastReason = 'not tried yet';
  private readonly waiting = new Set<() => void>();

  constructor(
    private readonly to: ControlAddress,
    private readonly identity: PeerIdentity,
    private readonly handlers: LinkHandlers,
  ) {
    void this.connect();
  }

  get isConnected(): boolean {
    return this.connected;
  }

  request(method: string, params?: unknown, timeoutMs?: number): Promise<unknown> {
    if (this.peer?.isOpen !== true) {
      this.hurry();
      return Promise.reject(unreachable(`${this.to.address}:${this.to.port} is not connected: ${this.lastReason}`));
    }
    return this.peer.request(method, params, timeoutMs);
  }

  /** Waits for a connection that is being made; whether there is one now. */
  connectedWithin(ms: number): Promise<boolean> {
    if (this.connected || this.stopped) return Promise.resolve(this.connected);
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        this.waiting.delete(end);
        resolve(this.connected);
      };
      const timer = setTimeout(end, ms);
      this.waiting.add(end);
    });
  }

  /** Gives the connection up that there is, and makes another: for one over which an answer did not come. */
  restart(reason: string): void {
    this.peer?.close(reason);
  }

  /** Somebody needs it: not as rarely as while nobody did. */
  private hurry(): void {
    if (this.timer === undefined || this.retryMs <= RETRY_FIRST_MS) return;
    clearTimeout(this.timer);
    this.retryMs = RETRY_FIRST_MS;
    this.timer = setTimeout(() => void this.connect(), RETRY_FIRST_MS);
  }

  close(): void {
    this.stopped = true;
    clearTimeout(this.timer);
    clearInterval(this.ping);
    this.peer?.close();
  }

  private async connect(): Promise<void> {
    this.timer = undefined;
    try {
      const peer = await connectControl(this.to, this.identity, {
        ...this.handlers,
        onClose: (reason, closed) => {
          this.handlers.onClose?.(reason, closed);
          this.lost(reason);
        },
      });
      if (this.stopped) return peer.close();
      this.peer = peer;
      this.retryMs = RETRY_FIRST_MS;
      this.connected = true;
      this.ping = setInterval(() => {
        peer.request('ping', undefined, PING_TIMEOUT_MS).catch((error: unknown) => peer.close(messageOf(error)));
      }, PING_EVERY_MS);
      this.handlers.onState?.(true, 'connected');
      for (const end of [...this.waiting]) end();
    } catch (error) {
      this.lost(messageOf(error));
    }
  }

  private lost(reason: string): void {
    this.lastReason = reason;
    clearInterval(this.ping);
    this.peer = undefined;
    if (this.connected) {
      this.connected = false;
      this.handlers.onState?.(false, reason);
    }
    if (this.stopped) return;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.connect(), this.retryMs);
    this.retryMs = Math.min(this.retryMs * 2, RETRY_MAX_MS);
  }
}
