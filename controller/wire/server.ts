// Listening for control connections: TLS with a pre-shared key on the network, a Unix socket for the command line.
//
// Invariants:
//  - Only those who hold the key get as far as a greeting. The rest cost one handshake, a bounded time and a line in the log.
//  - The numbers of connections and of log lines about strangers are bounded: a flood is logged as one.
//
// Must not: know what is asked over a connection.
import { mkdirSync, rmSync } from 'node:fs';
import { createConnection, createServer, type Server, type Socket } from 'node:net';
import { dirname } from 'node:path';
import { createServer as createTlsServer, type TLSSocket } from 'node:tls';

import { errnoOf, messageOf, UnderstudyError } from '../../journal/src/errors.js';
import { Peer, type PeerHandlers, type PeerIdentity } from './peer.js';

/** TLS 1.2, because Node offers pre-shared keys in that version only; ephemeral, so a key that leaks later opens no old recording. */
export const PSK_TLS = {
  ciphers: 'ECDHE-PSK-CHACHA20-POLY1305',
  minVersion: 'TLSv1.2',
  maxVersion: 'TLSv1.2',
} as const;
export const PSK_IDENTITY = 'understudy';

const CONNECTIONS_MAX = 128;
const KEEP_ALIVE_AFTER_MS = 10_000;
const HANDSHAKE_TIMEOUT_MS = 3_000;
const STRANGER_LINES_PER_MINUTE = 20;

export type Log = (level: 'info' | 'warning' | 'error', text: string) => void;

/** Lines about what strangers do: the first few of each minute, then how many more there were. */
export class StrangerLog {
  private minute = 0;
  private lines = 0;
  constructor(private readonly log: Log) {}

  report(text: string): void {
    const minute = Math.floor(Date.now() / 60_000);
    if (minute !== this.minute) {
      const dropped = this.lines - STRANGER_LINES_PER_MINUTE;
      if (dropped > 0) this.log('warning', `${dropped} more refused connections in that minute`);
      this.minute = minute;
      this.lines = 0;
    }
    if (++this.lines <= STRANGER_LINES_PER_MINUTE) this.log('warning', text);
  }
}

export interface ControlServer {
  readonly port: number;
  close(): Promise<void>;
}

function serveConnections(server: Server, identity: PeerIdentity, handlers: PeerHandlers, log: StrangerLog) {
  const peers = new Set<Peer>();
  const accept = (socket: Socket, where: string): void => {
    if (peers.size >= CONNECTIONS_MAX) {
      log.report(`${where} refused: ${CONNECTIONS_MAX} control connections are open`);
      socket.destroy();
      return;
    }
    socket.setNoDelay(true);
    // The other side may vanish without a word; its connection is not to count for ever.
    socket.setKeepAlive(true, KEEP_ALIVE_AFTER_MS);
    const peer = new Peer(
      socket,
      identity,
      {
        ...handlers,
        onClose: (reason, closed) => {
          peers.delete(closed);
          if (closed.remote.product === '') log.report(`control connection from ${where} ended: ${reason}`);
          handlers.onClose?.(reason, closed);
        },
      },
      where,
    );
    peers.add(peer);
  };
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve());
      for (const peer of peers) peer.close('the daemon ends');
    });
  return { accept, close };
}

function listening(server: Server, listen: () => void, where: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => {
      const inUse = errnoOf(error) === 'EADDRINUSE';
      reject(
        new UnderstudyError('E_LISTEN', `cannot listen on ${where}: ${messageOf(error)}`, {
          hint: inUse
            ? 'Another daemon is there already, or another program has the port.'
            : 'Check the address and port in the configuration.',
          cause: error,
        }),
      );
    });
    server.once('listening', resolve);
    listen();
  });
}

export async function listenControl(
  at: { address: string; port: number; key: Buffer },
  identity: PeerIdentity,
  handlers: PeerHandlers,
  log: Log,
): Promise<ControlServer> {
  const strangers = new StrangerLog(log);
  const sockets = new Set<Socket>();
  const server = createTlsServer({
    ...PSK_TLS,
    handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
    pskCallback: (_socket, asked) => (asked === PSK_IDENTITY ? at.key : null),
    pskIdentityHint: PSK_IDENTITY,
  });
  // Before the handshake, strangers' connections are all that there is to bound.
  server.on('connection', (socket: Socket) => {
    if (sockets.size >= CONNECTIONS_MAX) {
      strangers.report(
        `${socket.remoteAddress ?? 'a stranger'} refused: ${CONNECTIONS_MAX} control connections are open`,
      );
      socket.destroy();
      return;
    }
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  const { accept, close } = serveConnections(server, identity, handlers, strangers);
  server.on('secureConnection', (socket: TLSSocket) => accept(socket, `${socket.remoteAddress}:${socket.remotePort}`));
  server.on('tlsClientError', (error: Error, socket: TLSSocket) => {
    strangers.report(
      `control connection from ${socket.remoteAddress ?? 'a stranger'} refused: wrong key, or not this protocol (${messageOf(error)})`,
    );
    socket.destroy();
  });
  await listening(server, () => server.listen(at.port, at.address), `${at.address}:${at.port}`);
  server.on('error', (error) => log('error', `control port: ${messageOf(error)}`));
  const bound = server.address();
  return {
    port: typeof bound === 'object' && bound !== null ? bound.port : at.port,
    close: async () => {
      const done = close();
      for (const socket of sockets) setTimeout(() => socket.destroy(), 300).unref();
      await done;
    },
  };
}

/** Removes the socket of a daemon that is gone; refuses when one answers. */
async function claimSocketPath(path: string): Promise<void> {
  const answer = await new Promise<'alive' | 'dead'>((resolve) => {
    const probe = createConnection(path);
    probe.once('connect', () => {
      probe.destroy();
      resolve('alive');
    });
    probe.once('error', () => resolve('dead'));
  });
  if (answer === 'alive')
    throw new UnderstudyError('E_LISTEN', `a daemon already serves ${path}`, {
      hint: 'One daemon per state directory: stop that one first.',
    });
  rmSync(path, { force: true });
}

export async function listenUnix(
  path: string,
  identity: PeerIdentity,
  handlers: PeerHandlers,
  log: Log,
): Promise<ControlServer> {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  await claimSocketPath(path);
  const server = createServer();
  const { accept, close } = serveConnections(server, identity, handlers, new StrangerLog(log));
  server.on('connection', (socket) => accept(socket, 'the command line'));
  // The directory keeps others out as well, but it may have been made by somebody with another umask.
  const umask = process.umask(0o177);
  try {
    await listening(server, () => server.listen(path), path);
  } finally {
    process.umask(umask);
  }
  server.on('error', (error) => log('error', `${path}: ${messageOf(error)}`));
  return {
    port: 0,
    close: async () => {
      await close();
      rmSync(path, { force: true });
    },
  };
}
