# Clients of memcached with values of nearly a megabyte, by the text protocol and by the binary one. They never connect again.
#
# usage: memcached.py HOST PORT COUNT
import hashlib
import json
import socket
import struct
import sys
import threading

SIZE = 1_000_000
over = threading.Event()


def pattern(seed, count):
    return hashlib.shake_128(seed.encode()).digest(count)


class Connection:
    def __init__(self, host, port):
        self.socket = socket.create_connection((host, port), timeout=12)
        self.file = self.socket.makefile("rb")

    def exactly(self, wanted, what):
        got = self.file.read(len(wanted))
        if got != wanted:
            at = next((i for i, (a, b) in enumerate(zip(got, wanted)) if a != b), len(got))
            raise Exception(f"{what}: other bytes, or the end, at {at} of {len(wanted)}")


class Text(Connection):
    def set(self, key, value):
        self.socket.sendall(b"set %s 0 0 %d\r\n%s\r\n" % (key, len(value), value))
        self.exactly(b"STORED\r\n", "set")

    def get(self, key, value):
        self.socket.sendall(b"get %s\r\n" % key)
        self.exactly(b"VALUE %s 0 %d\r\n%s\r\nEND\r\n" % (key, len(value), value), "get")


class Binary(Connection):
    def ask(self, opcode, key, extras, value):
        body = extras + key + value
        self.socket.sendall(struct.pack(">BBHBBHIIQ", 0x80, opcode, len(key), len(extras), 0, 0, len(body), 7, 0) + body)
        head = self.file.read(24)
        if len(head) != 24:
            raise Exception("the end of the connection")
        magic, _, key_len, extras_len, _, status, body_len, opaque, _ = struct.unpack(">BBHBBHIIQ", head)
        if (magic, key_len, status, opaque) != (0x81, 0, 0, 7):
            raise Exception(f"another answer: {head.hex()}")
        return extras_len, body_len

    def set(self, key, value):
        if self.ask(1, key, struct.pack(">II", 0, 0), value) != (0, 0):
            raise Exception("set: another answer")

    def get(self, key, value):
        if self.ask(0, key, b"", b"") != (4, 4 + len(value)):
            raise Exception("get: another length")
        self.exactly(b"\0\0\0\0" + value, "get")


def talk(connection, name, counts):
    values = {}
    try:
        while not over.is_set():
            n = counts[name]
            key = f"{name}-{n % 3}".encode()
            values[key] = pattern(f"{name}{n}", SIZE + n % 7)
            connection.set(key, values[key])
            connection.get(key, values[key])
            counts[name] += 1
        for key, value in values.items():
            connection.get(key, value)
        results[name] = "ok"
    except Exception as error:
        results[name] = f"{type(error).__name__}: {error}"


results, counts, threads = {}, {}, []
for n in range(int(sys.argv[3])):
    kind = Text if n % 2 == 0 else Binary
    name = f"{kind.__name__.lower()}-{n}"
    counts[name] = 0
    connection = kind(sys.argv[1], int(sys.argv[2]))
    threads.append(threading.Thread(target=talk, args=(connection, name, counts), daemon=True))
for thread in threads:
    thread.start()
while any(count < 2 for count in counts.values()) and not results:
    over.wait(0.01)
before = dict(counts)
print("ready", flush=True)
sys.stdin.readline()
over.wait(1)
over.set()
for thread in threads:
    thread.join()
for name, count in counts.items():
    if results[name] == "ok" and count == before[name]:
        results[name] = "nothing was asked after the host had died"
print(json.dumps(results), flush=True)
