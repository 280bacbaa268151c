// Control connections: frames, greetings, and those who get them wrong.
import { randomBytes } from 'node:crypto';
import { createServer, connect, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';

import { ControlLink, connectControl } from '../../controller/wire/client.js';
import { encodeFrame, FrameDecoder, FRAME_BYTES_MAX } from '../../controller/wire/frame.js';
import { dispatcher, method, objectSchema } from '../../controller/wire/methods.js';
import { Peer, type PeerHandlers } from '../../controller/wire/peer.js';
import { listenControl, type ControlServer } from '../../controller/wire/server.js';
import { until } from '../coordinator/contract.js';
import { Random } from '../pair/random.js';

const identity = { name: 'test', product: 'test 1' };

describe('frames', () => {
  it('arrive whole, however they were cut', () => {
    const messages = Array.from({ length: 200 }, (_, i) => ({ i, text: 'x'.repeat(i % 37) }));
    const bytes = Buffer.concat(messages.map((message) => encodeFrame(message)));
    for (let seed = 1; seed <= 20; seed++) {
      const random = new Random(seed);
      const decoder = new FrameDecoder();
      const got: unknown[] = [];
      for (let at = 0; at < bytes.length;) {
        const size = Math.ceil(random.between(0, seed * 3));
        got.push(...decoder.push(bytes.subarray(at, at + size)));
        at += size;
      }
      expect(got, `seed ${seed}`).toEqual(messages);
    }
  });

  it('are refused by their length, before they are kept', () => {
    for (const size of [0, FRAME_BYTES_MAX + 1, 0xffffffff]) {
      const head = Buffer.alloc(4);
      head.writeUInt32BE(size);
      expect(() => new FrameDecoder().push(head)).toThrow(/frame of/);
    }
    expect(() => new FrameDecoder().push(Buffer.from([0, 0, 0, 1, 0x7b]))).toThrow(/not JSON/);
    expect(() => encodeFrame('x'.repeat(FRAME_BYTES_MAX))).toThrow(/above/);
  });
});

describe('a connection', () => {
  let server: Server | undefined;
  const sockets: Socket[] = [];
  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    await new Promise<void>((done) => (server === undefined ? done() : server.close(() => done())));
    server = undefined;
  });

  /** A peer of ours, and a raw socket that plays the other side. */
  async function raw(
    handlers: PeerHandlers = {},
  ): Promise<{ peer: Peer; socket: Socket; heard: () => string; closed: string[] }> {
    const closed: string[] = [];
    let peer!: Peer;
    const made = new Promise<void>((done) => {
      server = createServer((accepted) => {
        sockets.push(accepted);
        peer = new Peer(accepted, identity, { ...handlers, onClose: (reason) => closed.push(reason) }, 'the stranger');
        done();
      });
    });
    await new Promise<void>((done) => server!.listen(0, '127.0.0.1', done));
    const socket = connect((server!.address() as { port: number }).port, '127.0.0.1');
    sockets.push(socket);
    let text = '';
    socket.on('data', (chunk) => (text += chunk.toString('latin1')));
    socket.on('error', () => undefined);
    await made;
    return { peer, socket, heard: () => text, closed };
  }
  const hello = { t: 'hello', protocol: 'understudy-control', versions: [1, 1], name: 'x', product: 'y' };

  it('needs a greeting first', async () => {
    const { socket, heard, closed } = await raw();
    socket.write(encodeFrame({ t: 'request', id: 1, method: 'ping' }));
    await until('the end', () => closed.length > 0);
    expect(closed[0]).toMatch(/before a greeting/);
    await until('the reason to arrive', () => heard().includes('before a greeting'));
  });

  it('says which versions it has when the other has none of them', async () => {
    const { socket, heard, closed } = await raw();
    socket.write(encodeFrame({ ...hello, versions: [7, 9] }));
    await until('the end', () => closed.length > 0);
    expect(closed[0]).toMatch(/versions 7 to 9 there \(y\), 1 to 1 here: none in common/);
    await until('the reason to arrive', () => heard().includes('none in common'));
  });

  it.each([
    ['noise', randomBytes(5000)],
    ['another protocol', Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n')],
    ['a message of no kind', encodeFrame({ t: 'open the door' })],
    ['a greeting with more in it', encodeFrame({ ...hello, admin: true })],
  ])('ends at %s', async (_name, bytes) => {
    const { socket, closed } = await raw();
    socket.write(bytes);
    await until('the end', () => closed.length > 0);
  });

  it('answers what its table has, with checked parameters, and only so much at once', async () => {
    let running = 0;
    let most = 0;
    const table = dispatcher({
      double: method(objectSchema({ n: { type: 'integer' } }), async (p: { n: number }) => {
        most = Math.max(most, ++running);
        await new Promise((done) => setTimeout(done, 20));
        running--;
        return p.n * 2;
      }),
    });
    const { peer, socket, heard } = await raw({ onRequest: table });
    socket.write(encodeFrame(hello));
    await peer.ready;
    socket.write(encodeFrame({ t: 'request', id: 1, method: 'double', params: { n: 21 } }));
    socket.write(encodeFrame({ t: 'request', id: 2, method: 'double', params: { n: 'x' } }));
    socket.write(encodeFrame({ t: 'request', id: 3, method: 'halve', params: {} }));
    await until('the answers', () => heard().includes('42'));
    expect(heard()).toMatch(/"id":2,"error":\{"code":"E_REFUSED"/);
    expect(heard()).toMatch(/"id":3,"error":\{"code":"E_REFUSED"/);
    for (let id = 10; id < 210; id++)
      socket.write(encodeFrame({ t: 'request', id, method: 'double', params: { n: id } }));
    await until('the last answer', () => heard().includes('"id":209'));
    expect(most).toBeLessThanOrEqual(64);
    expect(heard()).toContain('more than 64 requests at once');
  });

  it('ends every request that is under way when it breaks', async () => {
    const { peer, socket } = await raw();
    socket.write(encodeFrame(hello));
    await peer.ready;
    const asked = peer.request('anything');
    socket.destroy();
    await expect(asked).rejects.toMatchObject({ code: 'E_HOST_UNREACHABLE' });
    await expect(peer.request('more')).rejects.toMatchObject({ code: 'E_HOST_UNREACHABLE' });
  });
});

describe('a link', () => {
  const key = randomBytes(32);
  it('comes back by itself, and refuses to serve another key', async () => {
    const serve = (port: number): Promise<ControlServer> =>
      listenControl({ address: '127.0.0.1', port, key }, identity, { onRequest: dispatcher({}) }, () => undefined);
    let server = await serve(0);
    const { port } = server;
    const states: boolean[] = [];
    const link = new ControlLink({ address: '127.0.0.1', port, key }, identity, { onState: (up) => states.push(up) });
    expect(await link.connectedWithin(2000)).toBe(true);
    expect(await link.request('ping')).toBe('pong');
    await server.close();
    await until('the loss', () => states.at(-1) === false);
    await expect(link.request('ping')).rejects.toMatchObject({ code: 'E_HOST_UNREACHABLE' });
    server = await serve(port);
    await until('the return', () => states.at(-1) === true);
    expect(await link.request('ping')).toBe('pong');
    link.close();

    const stranger = connectControl({ address: '127.0.0.1', port, key: randomBytes(32) }, identity);
    await expect(stranger).rejects.toMatchObject({
      code: 'E_HOST_UNREACHABLE',
      message: expect.stringMatching(/refused the key/) as string,
    });
    await server.close();
  });

  it('cannot be replayed', async () => {
    const log: string[] = [];
    let asked = 0;
    const count = method(objectSchema({}), () => ++asked);
    const server = await listenControl(
      { address: '127.0.0.1', port: 0, key },
      identity,
      { onRequest: dispatcher({ count }) },
      (_level, text) => log.push(text),
    );
    // Somebody in between, who keeps what a host says.
    const kept: Buffer[] = [];
    const between = createServer((client) => {
      const onward = connect(server.port, '127.0.0.1');
      client.on('data', (chunk) => kept.push(chunk));
      client.on('error', () => undefined);
      onward.on('error', () => undefined);
      client.pipe(onward).pipe(client);
    });
    await new Promise<void>((done) => between.listen(0, '127.0.0.1', done));
    const { port } = between.address() as { port: number };
    const peer = await connectControl({ address: '127.0.0.1', port, key }, identity);
    expect(await peer.request('count')).toBe(1);
    peer.close();

    const again = connect(server.port, '127.0.0.1');
    again.on('error', () => undefined);
    for (const chunk of kept) {
      again.write(chunk);
      await new Promise((done) => setTimeout(done, 20));
    }
    await until('word of it', () => log.some((line) => line.includes('refused')));
    expect(asked).toBe(1);
    again.destroy();
    between.close();
    await server.close();
  });
});
