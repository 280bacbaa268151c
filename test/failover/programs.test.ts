// Unmodified servers of other kinds on two hosts: threads, worker processes, files, an event loop in an interpreter, connections that the
// guest opens itself. Host a dies in the middle of it. Needs root.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

import { Client } from '../harness/client.js';
import type { DialogueName } from '../harness/clients/dialogues.js';
import { WWW_FILES, wwwFile } from '../harness/clients/dialogues.js';
import { findProgram } from '../harness/find-program.js';
import { until } from '../harness/process.js';
import { hosts, type Rig } from '../harness/rig.js';
import { cannot, definition, expectUnharmed, onRig, protect, untilState } from './scene.js';

/** Talks to the server, kills host a with everything on it, and goes on talking. */
async function survives(rig: Rig, dialogue: DialogueName, port: number, connections: number): Promise<void> {
  const client = await Client.start(rig, { port, dialogue, connections, pauseMs: 3, seed: 3 });
  await client.answered(300);
  rig.signalAll('a', 'SIGKILL');
  await client.answered(300);
  await untilState(rig, 'b', 'unprotected', 'primary');
  expectUnharmed(await client.stop(), 600);
}

const python = findProgram('python3');

/** A program in Python, the same file at the same place for both hosts. */
function script(rig: Rig, text: string): string[] {
  const path = join(rig.dir, 'server.py');
  writeFileSync(path, text);
  return [python!, '-B', path];
}

const RUNNING_HASHES = `
import asyncio, hashlib

async def serve(reader, writer):
    digest = hashlib.sha256()
    while line := await reader.readline():
        digest.update(line)
        writer.write(digest.hexdigest().encode() + b"\\n")
        await writer.drain()
    writer.close()

async def main():
    server = await asyncio.start_server(serve, "0.0.0.0", 7007)
    await server.serve_forever()

asyncio.run(main())
`;

// As inetd, PostgreSQL and sshd do it: who accepts a connection gives it to a child, and closes its own descriptor.
const FORKING = `
import hashlib, os, signal, socket

signal.signal(signal.SIGCHLD, signal.SIG_IGN)
listener = socket.create_server(("0.0.0.0", 7007))
while True:
    stream, _ = listener.accept()
    if os.fork() == 0:
        digest = hashlib.sha256()
        for line in stream.makefile("rb"):
            digest.update(line)
            stream.sendall(digest.hexdigest().encode() + b"\\n")
        os._exit(0)
    stream.close()
`;

// Each client's connection has one of the guest's own behind it, to a server outside of the pair.
const FORWARDER = `
import socket, threading, sys

def pump(a, b):
    while data := a.recv(65536):
        b.sendall(data)

listener = socket.create_server(("0.0.0.0", 7007))
while True:
    client, _ = listener.accept()
    server = socket.create_connection((sys.argv[1], 7008))
    threading.Thread(target=pump, args=(client, server), daemon=True).start()
    threading.Thread(target=pump, args=(server, client), daemon=True).start()
`;

const FAR_SERVER = `
let n = 0;
const server = require('node:net').createServer((socket) => {
  console.log(n++ === 0 ? 'probe' : socket.remoteAddress.replace('::ffff:', ''));
  socket.pipe(socket);
});
server.listen(7008);
`;

describe.skipIf(cannot)('on two hosts, the first one dies:', () => {
  it.skipIf(findProgram('memcached') === undefined)(
    'memcached with four threads',
    onRig(async (rig) => {
      await protect(
        rig,
        definition(rig, ['memcached', '-u', 'root', '-t', '4', '-p', '11211', '-l', '0.0.0.0', '-U', '0'], 11211),
      );
      await survives(rig, 'memcached', 11211, 16);
    }),
  );

  it.skipIf(findProgram('redis-server') === undefined)(
    'redis whose I/O threads hand work to each other by spinning',
    onRig(async (rig) => {
      const io = ['--io-threads', '3', '--io-threads-do-reads', 'yes'];
      const base = ['redis-server', '--port', '6379', '--save', '', '--bind', '0.0.0.0', '--protected-mode', 'no'];
      await protect(rig, definition(rig, [...base, ...io], 6379));
      const client = await Client.start(rig, { port: 6379, dialogue: 'redis', connections: 20, seed: 3 });
      await client.answered(150);
      rig.signalAll('a', 'SIGKILL');
      await client.answered(150);
      await untilState(rig, 'b', 'unprotected', 'primary');
      expectUnharmed(await client.stop(), 300);
    }),
  );

  it.skipIf(findProgram('nginx') === undefined)(
    'nginx with a master, two workers and files of its own on each host',
    onRig(async (rig) => {
      for (const host of hosts) {
        const own = rig.ownDirOf(host);
        for (const dir of ['temp', 'files']) mkdirSync(join(own, dir));
        for (let n = 0; n < WWW_FILES; n++) writeFileSync(join(own, 'files', `file-${n}`), wwwFile(n));
        writeFileSync(join(own, 'nginx.conf'), nginxConf(rig.ownDir));
      }
      const command = [findProgram('nginx')!, '-c', join(rig.ownDir, 'nginx.conf'), '-e', 'stderr'];
      await protect(rig, definition(rig, command, 8080, { storage: [{ path: rig.ownDir, class: 'unshared' }] }));
      await survives(rig, 'http', 8080, 8);
    }),
  );

  it.skipIf(python === undefined)(
    'an asyncio server in Python, which answers each line with a hash of all lines before',
    onRig(async (rig) => {
      await protect(rig, definition(rig, script(rig, RUNNING_HASHES), 7007));
      await survives(rig, 'running', 7007, 8);
    }),
  );

  it.skipIf(python === undefined)(
    'a server that forks for each connection',
    onRig(async (rig) => {
      await protect(rig, definition(rig, script(rig, FORKING), 7007));
      await survives(rig, 'running', 7007, 6);
    }),
  );

  it.skipIf(python === undefined)(
    'a forwarder with connections of its own to a server elsewhere',
    onRig(async (rig) => {
      // The client's place has the server at the far end.
      rig.spawn('c', 'far', [process.execPath, '-e', FAR_SERVER]);
      await until('the far server', () =>
        rig.run('c', ['bash', '-c', `exec 3<>/dev/tcp/${rig.addressOf('c')}/7008`]).status === 0 ? true : undefined,
      );
      await protect(rig, definition(rig, [...script(rig, FORWARDER), rig.addressOf('c')], 7007));
      await survives(rig, 'echo', 7007, 4);
      // New ones come from the service's address, too, now from the other host.
      const later = await Client.start(rig, { port: 7007, dialogue: 'echo', firstId: 100 });
      await later.answered(10);
      expectUnharmed(await later.stop(), 10);
      const sources = rig.log('far').trim().split('\n');
      expect(sources).toEqual(['probe', ...sources.slice(1).map(() => rig.vip)]);
      expect(sources.length).toBeGreaterThanOrEqual(1 + 4 + 1);
    }),
  );
});

const nginxConf = (place: string): string => `
daemon off;
user root;
worker_processes 2;
pid ${place}/temp/nginx.pid;
error_log stderr;
events { worker_connections 64; }
http {
  access_log off;
  keepalive_requests 1000000;
  client_body_temp_path ${place}/temp/body;
  proxy_temp_path ${place}/temp/proxy;
  fastcgi_temp_path ${place}/temp/fastcgi;
  uwsgi_temp_path ${place}/temp/uwsgi;
  scgi_temp_path ${place}/temp/scgi;
  server { listen 8080; root ${place}/files; }
}
`;
