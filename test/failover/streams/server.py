# A server in whose connections everything happens that can happen to a TCP connection. The first line of a connection says what.
#
# usage: server.py PORT SLOW_PORT: connections to the second port are accepted one by one, with a pause before each.
import hashlib
import socket
import sys
import threading
import time

CHUNK_BYTES = 65536
CHUNK_PAUSE_S = 0.01
ACCEPT_PAUSE_S = 0.25
LATE_S = 1.5

digests = {}


def pattern(seed, count):
    return hashlib.shake_128(seed.encode()).digest(count)


def paced(stream, data):
    for at in range(0, len(data), CHUNK_BYTES):
        stream.sendall(data[at : at + CHUNK_BYTES])
        time.sleep(CHUNK_PAUSE_S)


def digest_of(lines, count):
    digest = hashlib.sha256()
    while count > 0:
        data = lines.read1(min(count, CHUNK_BYTES))
        if not data:
            return f"ended {count} bytes early"
        digest.update(data)
        count -= len(data)
    return digest.hexdigest()


def serve(stream):
    lines = stream.makefile("rb")
    while line := lines.readline():
        what, seed, count = line.decode().split()
        count = int(count)
        if what == "echo":
            stream.sendall(pattern(seed, count))
        elif what == "download":
            paced(stream, pattern(seed, count))
        elif what == "flood":
            stream.sendall(pattern(seed, count))
        elif what == "after-end":
            # The client has said that it sends no more; all of it is for this side to say.
            rest = lines.read()
            paced(stream, pattern(seed, count) if rest == b"" else b"not the end")
        elif what == "upload":
            stream.sendall(f"{digest_of(lines, count)}\n".encode())
        elif what == "listen":
            # The other way round: this side says no more, and listens. What came is asked for on another connection.
            stream.shutdown(socket.SHUT_WR)
            digests[seed] = digest_of(lines, count)
        elif what == "late":
            time.sleep(LATE_S)
            stream.sendall(f"{digest_of(lines, count)}\n".encode())
        elif what == "bye":
            stream.sendall(pattern(seed, count))
            break
        elif what == "digest":
            stream.sendall(f"{digests.get(seed, 'not yet')}\n".encode())
    lines.close()
    stream.close()


def accept_from(port, pause_s):
    listener = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=64)
    while True:
        time.sleep(pause_s)
        stream, _ = listener.accept()
        threading.Thread(target=serve, args=(stream,), daemon=True).start()


threading.Thread(target=accept_from, args=(int(sys.argv[2]), ACCEPT_PAUSE_S), daemon=True).start()
accept_from(int(sys.argv[1]), 0)
