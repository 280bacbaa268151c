// One control connection, either end: greeting, requests with answers, notices. Runs over any byte stream (TLS between hosts, a
// Unix socket for the command line).
//
// Invariants:
//  - Nothing but a greeting is accepted first; versions are agreed upon there, and a disagreement is said to the other side.
//  - Everything received is checked against a schema. The first wrong message ends the connection: no guessing what was meant.
//  - Every request ends: in an answer, an error, a timeout, or the connection's end. Their number is bounded on both sides.
//
// Must not: authenticate. Who may connect is the stream's affair (pre-shared key, file permissions).
import type { Duplex } from 'node:stream';

import { ERROR_CODES, messageOf, UnderstudyError, type ErrorCode } from '../../journal/src/errors.js';
import { encodeFrame, FrameDecoder } from './frame.js';
import { compileSchema, describeErrors } from './schema.js';

export const PROTOCOL = 'understudy-control';
/** Versions that this build speaks, oldest and newest. */
export const PROTOCOL_VERSIONS: readonly [number, number] = [1, 1];

const HELLO_TIMEOUT_MS = 3_000;
const REQUEST_TIMEOUT_MS = 5_000;
const REQUESTS_IN_FLIGHT_MAX = 64;
/** A reader that takes nothing while we have this much for it is cut off. */
const UNSENT_BYTES_MAX = 8 << 20;

const name = { type: 'string', minLength: 1, maxLength: 128 };
const checkMessage = compileSchema({
  type: 'object',
  required: ['t'],
  oneOf: [
    {
      properties: {
        t: { const: 'hello' },
        protocol: { const: PROTOCOL },
        versions: { type: 'array', items: { type: 'integer', minimum: 1 }, minItems: 2, maxItems: 2 },
        name,
        product: name,
      },
      required: ['protocol', 'versions', 'name', 'product'],
      additionalProperties: false,
    },
    {
      properties: { t: { const: 'bye' }, reason: { type: 'string', maxLength: 1000 } },
      required: ['reason'],
      additionalProperties: false,
    },
    {
      properties: { t: { const: 'request' }, id: { type: 'integer', minimum: 1 }, method: name, params: {} },
      required: ['id', 'method'],
      additionalProperties: false,
    },
    {
      properties: {
        t: { const: 'answer' },
        id: { type: 'integer', minimum: 1 },
        result: {},
        error: {
          type: 'object',
          properties: { code: name, message: { type: 'string' }, hint: { type: 'string' } },
          required: ['code', 'message'],
          additionalProperties: false,
        },
      },
      required: ['id'],
      additionalProperties: false,
    },
    {
      properties: { t: { const: 'notice' }, topic: name, data: {} },
      required: ['topic'],
      additionalProperties: false,
    },
  ],
});

type Message =
  | { t: 'hello'; protocol: string; versions: [number, number]; name: string; product: string }
  | { t: 'bye'; reason: string }
  | { t: 'request'; id: number; method: string; params?: unknown }
  | { t: 'answer'; id: number; result?: unknown; error?: { code: string; message: string; hint?: string } }
  | { t: 'notice'; topic: string; data?: unknown };

export interface PeerHandlers {
  onRequest?: (method: string, params: unknown, peer: Peer) => Promise<unknown>;
  onNotice?: (topic: string, data: unknown, peer: Peer) => void;
  /** Once, however the connection ended; `reason` is for people. */
  onClose?: (reason: string, peer: Peer) => void;
}

export interface PeerIdentity {
  name: string;
  product: string;
}

interface Waiting {
  resolve: (value: unknown) => void;
  reject: (error: UnderstudyError) => void;
  timer: NodeJS.Timeout;
}

/** The connection is gone or answers nothing. Whether a request was carried out is not known. */
export function unreachable(message: string, cause?: unknown): UnderstudyError {
  return new UnderstudyError('E_HOST_UNREACHABLE', message, {
    hint: 'Check that the daemon runs there and that both sides have the same key file.',
    ...(cause === undefined ? {} : { cause }),
  });
}

export class Peer {
  remote: PeerIdentity = { name: 'unknown', product: '' };
  /** Resolves when the greetings were exchanged; rejects when there was none, or none that we understand. */
  readonly ready: Promise<void>;
  private readonly decoder = new FrameDecoder();
  private readonly waiting = new Map<number, Waiting>();
  private readonly helloTimer: NodeJS.Timeout;
  private settleReady!: { resolve: () => void; reject: (error: UnderstudyError) => void };
  private greeted = false;
  private closed = false;
  private nextId = 1;
  private serving = 0;

  constructor(
    private readonly stream: Duplex,
    identity: PeerIdentity,
    private readonly handlers: PeerHandlers,
    /** For messages: an address, or the path of a socket. */
    readonly where: string,
  ) {
    this.ready = new Promise<void>((resolve, reject) => (this.settleReady = { resolve, reject }));
    // Callers who only serve do not await it; the reason reaches them through onClose.
    this.ready.catch(() => undefined);
    this.helloTimer = setTimeout(() => this.end(`no greeting within ${HELLO_TIMEOUT_MS} ms`), HELLO_TIMEOUT_MS);
    stream.on('data', (chunk: Buffer) => this.receive(chunk));
    stream.on('error', (error) => this.end(messageOf(error)));
    stream.on('close', () => this.end('the other side closed the connection'));
    stream.on('end', () => this.end('the other side closed the connection'));
    this.send({ t: 'hello', protocol: PROTOCOL, versions: [...PROTOCOL_VERSIONS] as [number, number], ...identity });
  }

  get isOpen(): boolean {
    return this.greeted && !this.closed;
  }

  request(method: string, params?: unknown, timeoutMs = REQUEST_TIMEOUT_MS): Promise<unknown> {
    if (this.closed) return Promise.reject(unreachable(`${this.where} is not connected`));
    if (this.waiting.size >= REQUESTS_IN_FLIGHT_MAX)
      return Promise.reject(unreachable(`${this.where} answers too slowly: ${this.waiting.size} requests wait`));
    const id = this.nextId++;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.waiting.delete(id);
        reject(unreachable(`${this.where} did not answer '${method}' within ${timeoutMs} ms`));
      }, timeoutMs);
      this.waiting.set(id, { resolve, reject, timer });
      this.send({ t: 'request', id, method, params });
    });
  }

  notify(topic: string, data: unknown): void {
    if (!this.closed) this.send({ t: 'notice', topic, data });
  }

  close(reason = 'closed'): void {
    if (!this.closed) this.send({ t: 'bye', reason });
    this.end(reason);
  }

  private send(message: Message): void {
    if (this.closed || this.stream.destroyed) return;
    this.stream.write(encodeFrame(message));
    if (this.stream.writableLength > UNSENT_BYTES_MAX) this.end('it does not read what it is sent');
  }

  private receive(chunk: Buffer): void {
    if (this.closed) return;
    try {
      for (const message of this.decoder.push(chunk)) {
        if (!checkMessage(message)) {
          this.refuse(`a message that the protocol does not have: ${describeErrors(checkMessage).slice(0, 200)}`);
          return;
        }
        this.take(message as Message);
        // A message may have been the last one (bye), or its handler may have closed the connection.
        if (this.isClosed()) return;
      }
    } catch (error) {
      this.refuse(messageOf(error));
    }
  }

  private isClosed(): boolean {
    return this.closed;
  }

  private take(message: Message): void {
    if (message.t === 'bye') return this.end(message.reason);
    if (!this.greeted) {
      if (message.t !== 'hello') return this.refuse(`'${message.t}' before a greeting`);
      const [oldest, newest] = message.versions;
      if (oldest > PROTOCOL_VERSIONS[1] || newest < PROTOCOL_VERSIONS[0]) {
        return this.refuse(
          `protocol versions ${oldest} to ${newest} there (${message.product}), ${PROTOCOL_VERSIONS.join(' to ')} here: none in common`,
        );
      }
      clearTimeout(this.helloTimer);
      this.remote = { name: message.name, product: message.product };
      this.greeted = true;
      return this.settleReady.resolve();
    }
    switch (message.t) {
      case 'hello':
        return this.refuse('a second greeting');
      case 'request':
        return void this.serve(message.id, message.method, message.params);
      case 'notice':
        return this.handlers.onNotice?.(message.topic, message.data, this);
      case 'answer': {
        const waiting = this.waiting.get(message.id);
        // Its timeout came first.
        if (waiting === undefined) return;
        this.waiting.delete(message.id);
        clearTimeout(waiting.timer);
        if (message.error === undefined) return waiting.resolve(message.result);
        const { code, message: text, hint } = message.error;
        const known = (ERROR_CODES as string[]).includes(code) ? (code as ErrorCode) : 'E_INTERNAL';
        return waiting.reject(new UnderstudyError(known, text, hint === undefined ? {} : { hint }));
      }
    }
  }

  private async serve(id: number, method: string, params: unknown): Promise<void> {
    const answerError = (error: UnderstudyError): void => {
      const { code, message, hint } = error;
      this.send({ t: 'answer', id, error: { code, message, ...(hint === undefined ? {} : { hint }) } });
    };
    if (this.handlers.onRequest === undefined)
      return answerError(new UnderstudyError('E_REFUSED', 'this side of the connection answers no requests'));
    if (this.serving >= REQUESTS_IN_FLIGHT_MAX)
      return answerError(
        new UnderstudyError('E_REFUSED', `more than ${REQUESTS_IN_FLIGHT_MAX} requests at once on one connection`),
      );
    this.serving++;
    try {
      const result = await this.handlers.onRequest(method, params, this);
      this.send({ t: 'answer', id, result: result ?? null });
    } catch (error) {
      answerError(
        error instanceof UnderstudyError
          ? error
          : new UnderstudyError('E_INTERNAL', `'${method}' failed unexpectedly: ${messageOf(error)}`),
      );
    } finally {
      this.serving--;
    }
  }

  private refuse(reason: string): void {
    this.send({ t: 'bye', reason: `refused: ${reason}`.slice(0, 1000) });
    this.end(reason);
  }

  private end(reason: string): void {
    if (this.closed) return;
    this.closed = true;
    clearTimeout(this.helloTimer);
    const error = unreachable(`${this.where}: ${reason}`);
    this.settleReady.reject(error);
    for (const { reject, timer } of this.waiting.values()) {
      clearTimeout(timer);
      reject(error);
    }
    this.waiting.clear();
    // end() sends what is queued (a bye); whoever does not take it in time is cut off.
    this.stream.end();
    setTimeout(() => this.stream.destroy(), 200).unref();
    this.handlers.onClose?.(reason, this);
  }
}
