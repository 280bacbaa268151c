# The client of server.py: one connection for each thing that can be going on, never a second one. All bytes are known in advance.
#
# usage: client.py HOST PORT SLOW_PORT KIND...
#
# Says "ready" once everything is in progress, waits for a line, and says in one line of JSON, for each connection, "ok" or what was
# wrong. Connections are named KIND-NUMBER.
import hashlib
import json
import os
import socket
import sys
import threading
import time

CHUNK_BYTES = 65536
CHUNK_PAUSE_S = 0.01
# Nothing takes that long, but for a connection that has been forgotten.
TIMEOUT_S = float(os.environ.get("TIMEOUT_S", "12"))

host, port, slow_port = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
struck = threading.Event()


def pattern(seed, count):
    return hashlib.shake_128(seed.encode()).digest(count)


def open_to(where):
    stream = socket.create_connection((host, where), timeout=TIMEOUT_S)
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return stream


def expect(stream, wanted, begun=None, pause_s=0):
    """Reads exactly these bytes; `begun` is called in the midst of them."""
    at = 0
    while at < len(wanted):
        data = stream.recv(min(CHUNK_BYTES, len(wanted) - at))
        if not data:
            raise Exception(f"the end after {at} of {len(wanted)} bytes")
        if data != wanted[at : at + len(data)]:
            first = next(i for i, (a, b) in enumerate(zip(data, wanted[at:])) if a != b)
            raise Exception(f"another byte at {at + first} of {len(wanted)}")
        at += len(data)
        if begun and at > len(wanted) // 8:
            begun()
        if begun and at > len(wanted) // 8 * 6:
            # Not over before it happens, however long the others take to begin.
            struck.wait()
        if pause_s:
            time.sleep(pause_s)


def expect_end(stream):
    data = stream.recv(1)
    if data:
        raise Exception("a byte after the last one")


def send_paced(stream, data, begun):
    for at in range(0, len(data), CHUNK_BYTES):
        stream.sendall(data[at : at + CHUNK_BYTES])
        if at > len(data) // 8:
            begun()
        if at > len(data) // 8 * 6:
            struck.wait()
        time.sleep(CHUNK_PAUSE_S)


def answer_of(data):
    return f"{hashlib.sha256(data).hexdigest()}\n".encode()


def ask(stream, what, seed, count):
    stream.sendall(f"{what} {seed} {count}\n".encode())


def echo_some(stream, name):
    for n in range(20):
        ask(stream, "echo", f"{name}{n}", 100 + n)
        expect(stream, pattern(f"{name}{n}", 100 + n))
        time.sleep(0.003)


def echo(stream, name, begun):
    echo_some(stream, name)
    begun()
    for n in range(20, 400):
        if n == 350:
            struck.wait()
        ask(stream, "echo", f"{name}{n}", 100 + n)
        expect(stream, pattern(f"{name}{n}", 100 + n))
        time.sleep(0.003)


def download(stream, name, begun):
    ask(stream, "download", name, 8 << 20)
    expect(stream, pattern(name, 8 << 20), begun)


def upload(stream, name, begun):
    data = pattern(name, 8 << 20)
    ask(stream, "upload", name, len(data))
    send_paced(stream, data, begun)
    expect(stream, answer_of(data))


def client_ended(stream, name, begun):
    ask(stream, "after-end", name, 6 << 20)
    stream.shutdown(socket.SHUT_WR)
    expect(stream, pattern(name, 6 << 20), begun)
    expect_end(stream)


def server_ended(stream, name, begun):
    other = open_to(port)
    data = pattern(name, 6 << 20)
    ask(stream, "listen", name, len(data))
    expect_end(stream)
    send_paced(stream, data, begun)
    for _ in range(100):
        ask(other, "digest", name, 0)
        answer = other.makefile("rb").readline()
        if answer != b"not yet\n":
            break
        time.sleep(0.02)
    if answer != answer_of(data):
        raise Exception(f"the server got other bytes: {answer}")


def slow_reader(stream, name, begun):
    ask(stream, "flood", name, 6 << 20)
    time.sleep(0.5)
    begun()
    struck.wait()
    time.sleep(1)
    expect(stream, pattern(name, 6 << 20))


def fast_reader(stream, name, begun):
    """Nobody slows the server down: the takeover comes in the midst of full buffers on both sides."""
    ask(stream, "flood", name, 24 << 20)
    expect(stream, pattern(name, 24 << 20), begun, 0.002)


def late_guest(stream, name, begun):
    data = pattern(name, 1 << 20)
    begin = time.monotonic()
    ask(stream, "late", name, len(data))
    threading.Timer(0.3, begun).start()
    stream.sendall(data)
    expect(stream, answer_of(data))
    if time.monotonic() - begin < 1:
        raise Exception("the guest was not late")


def late_guest_told(stream, name, begun):
    """The same, but later: once the connection has been at work for a while, and when it is told to."""
    echo_some(stream, name)
    begun()
    struck.wait()
    late_guest(stream, name, begun)


def idle(stream, name, begun):
    begun()
    struck.wait()
    time.sleep(0.5)
    echo(stream, name, lambda: None)


def closed_by_guest(stream, name, begun):
    # More than the client's kernel takes while nobody reads: a part is still with the server's when it has closed.
    ask(stream, "bye", name, 1 << 20)
    time.sleep(0.5)
    begun()
    struck.wait()
    time.sleep(0.3)
    expect(stream, pattern(name, 1 << 20))
    expect_end(stream)


def in_queue(stream, name, begun):
    ask(stream, "echo", name, 5000)
    begun()
    expect(stream, pattern(name, 5000))
    echo(stream, name, lambda: None)


def in_queue_ended(stream, name, begun):
    ask(stream, "echo", name, 5000)
    stream.shutdown(socket.SHUT_WR)
    begun()
    expect(stream, pattern(name, 5000))
    expect_end(stream)


kinds = {
    "echo": echo,
    "download": download,
    "upload": upload,
    "client-ended": client_ended,
    "server-ended": server_ended,
    "slow-reader": slow_reader,
    "fast-reader": fast_reader,
    "late-guest": late_guest,
    "late-guest-told": late_guest_told,
    "idle": idle,
    "closed-by-guest": closed_by_guest,
    "just-accepted": idle,
    "in-queue": in_queue,
    "in-queue-ended": in_queue_ended,
}
# Begun in this order, the last ones just before the host dies: they do not stay as they are.
stages = [
    [kind for kind in kinds if kind not in ("late-guest", "just-accepted", "in-queue", "in-queue-ended")],
    ["late-guest"],
    ["just-accepted", "in-queue", "in-queue-ended"],
]
results = {}


def one(kind, name, begun):
    try:
        stream = open_to(slow_port if kind.startswith("in-queue") else port)
        kinds[kind](stream, name, begun)
        # In the midst of it means before the end of it.
        results[name] = "ok" if struck.is_set() else "over before the host died"
        stream.close()
    except Exception as error:
        results[name] = f"{type(error).__name__}: {error}"
        begun()


def start(names):
    threads = []
    for kind, name in names:
        begun = threading.Event()
        thread = threading.Thread(target=one, args=(kind, name, begun.set), daemon=True)
        thread.start()
        threads.append((thread, begun))
    for _, begun in threads:
        begun.wait()
    return [thread for thread, _ in threads]


names = [(kind, f"{kind}-{n}") for n, kind in enumerate(sys.argv[4:])]
threads = []
for stage in stages:
    threads += start([entry for entry in names if entry[0] in stage])
print("ready", flush=True)
sys.stdin.readline()
struck.set()
deadline = time.monotonic() + TIMEOUT_S
for thread in threads:
    thread.join(max(0, deadline - time.monotonic()))
print(json.dumps({name: results.get(name, "not over") for _, name in names}), flush=True)
