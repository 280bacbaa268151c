# A datagram server with a memory, and its client.
#
# usage: udp.py server ADDRESS PORT | udp.py client HOST PORT COUNT
#
# Each request carries its sender's name and number, the answer the hash of all requests of that sender: a server that forgets, or hears
# one twice, gives a wrong one. A client that hears nothing asks again, as those of datagrams must.
import hashlib
import json
import socket
import sys
import threading
import time

AGAIN_S = 0.1


def serve(address, port):
    state = {}
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind((address, port))
    while True:
        data, source = server.recvfrom(65536)
        name, number, _ = data.split(b" ", 2)
        last, answer = state.get(name, (0, b""))
        if int(number) == last + 1:
            answer = hashlib.sha256(answer + data).hexdigest().encode()
            state[name] = (last + 1, answer)
        server.sendto(number + b" " + answer, source)


class Client:
    def __init__(self, host, port, name, connected):
        self.name, self.answer, self.number, self.again, self.trouble = name, b"", 0, 0, None
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.settimeout(AGAIN_S)
        self.to = (host, port)
        if connected:
            self.socket.connect(self.to)

    def ask(self):
        self.number += 1
        request = f"{self.name} {self.number} {'x' * (self.number * 37 % 900)}".encode()
        self.answer = hashlib.sha256(self.answer + request).hexdigest().encode()
        for _ in range(100):
            try:
                self.socket.sendto(request, self.to)
                while True:
                    number, answer = self.socket.recv(65536).split(b" ")
                    if int(number) == self.number:
                        break
            except (TimeoutError, ConnectionRefusedError):
                self.again += 1
                time.sleep(0.01)
                continue
            if answer != self.answer:
                raise Exception(f"{self.name}, request {self.number}: another answer")
            return
        raise Exception(f"{self.name}, request {self.number}: no answer")


def talk(client, go_on):
    try:
        while go_on():
            client.ask()
            time.sleep(0.002)
    except Exception as error:
        client.trouble = str(error)


def main_of_client(host, port, count):
    clients = [Client(host, port, f"client-{n}", n % 2 == 0) for n in range(count)]
    over = threading.Event()
    threads = [threading.Thread(target=talk, args=(c, lambda: not over.is_set()), daemon=True) for c in clients]
    for thread in threads:
        thread.start()
    time.sleep(0.4)
    before = [c.number for c in clients]
    print("ready", flush=True)
    sys.stdin.readline()
    struck = [c.number for c in clients]
    # Fifty more answers for each: how long the takeover may last is not for this to judge.
    until = time.monotonic() + 10
    while time.monotonic() < until and any(c.number < n + 51 and not c.trouble for c, n in zip(clients, struck)):
        time.sleep(0.01)
    over.set()
    for thread in threads:
        thread.join()
    results = {}
    for client, then, last in zip(clients, before, struck):
        trouble = client.trouble or ("too few answers" if then < 10 or client.number < last + 50 else "ok")
        results[client.name] = trouble
    print(json.dumps(results), flush=True)


if sys.argv[1] == "server":
    serve(sys.argv[2], int(sys.argv[3]))
else:
    main_of_client(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
