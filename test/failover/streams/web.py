# Long downloads and uploads over HTTP, in progress while the server's host dies. Each connection is opened once.
#
# usage: web.py HOST PORT DIR COUNT: DIR/big is served as /big, slowly; /up/NAME takes uploads.
import hashlib
import json
import sys
import threading
import time
from http.client import HTTPConnection

SIZE = 4 << 20
host, port, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[4])
with open(f"{sys.argv[3]}/big", "rb") as file:
    big = file.read()
struck = threading.Event()
results = {}


def pattern(seed, size):
    return hashlib.shake_128(seed.encode()).digest(size)


def download(connection, name, begun):
    connection.request("GET", "/big")
    response = connection.getresponse()
    got = b""
    while len(got) < len(big):
        piece = response.read(min(65536, len(big) - len(got)))
        if not piece:
            raise Exception(f"the end after {len(got)} of {len(big)} bytes")
        got += piece
        if len(got) > len(big) // 8:
            begun()
    if got != big:
        raise Exception("other contents")


def upload(connection, name, begun):
    data = pattern(name, SIZE)

    def pieces():
        for at in range(0, len(data), 32768):
            yield data[at : at + 32768]
            if at > len(data) // 8:
                begun()
            time.sleep(0.008)

    connection.request("PUT", f"/up/{name}", pieces(), {"Content-Length": str(len(data))})
    response = connection.getresponse()
    response.read()
    if response.status != 201:
        raise Exception(f"PUT: {response.status}")
    if not struck.is_set():
        raise Exception("over before the host died")
    # On the same connection, from whoever has the service now.
    connection.request("GET", f"/up/{name}")
    if connection.getresponse().read() != data:
        raise Exception("other contents than were sent")


def one(work, name, begun):
    try:
        connection = HTTPConnection(host, port, timeout=12)
        connection.auto_open = 0
        connection.connect()
        work(connection, name, begun)
        results[name] = "ok" if struck.is_set() else "over before the host died"
    except Exception as error:
        results[name] = f"{type(error).__name__}: {error}"
        begun()


threads = []
for n in range(count):
    work = download if n % 2 == 0 else upload
    begun = threading.Event()
    thread = threading.Thread(target=one, args=(work, f"{work.__name__}-{n}", begun.set), daemon=True)
    thread.start()
    threads.append((thread, begun))
for _, begun in threads:
    begun.wait()
print("ready", flush=True)
sys.stdin.readline()
struck.set()
for thread, _ in threads:
    thread.join()
print(json.dumps(results), flush=True)
