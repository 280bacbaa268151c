# A server that speaks by itself: each connection gets a line with a number every two milliseconds, the same number for all.
#
# usage: ticker.py PORT
import selectors
import socket
import sys
import time

listener = socket.create_server(("0.0.0.0", int(sys.argv[1])))
listener.setblocking(False)
selector = selectors.DefaultSelector()
selector.register(listener, selectors.EVENT_READ)
streams, number = [], 0
while True:
    time.sleep(0.002)
    number += 1
    for _ in selector.select(0):
        stream, _ = listener.accept()
        streams.append(stream)
    for stream in list(streams):
        try:
            stream.sendall(b"%d\n" % number)
        except OSError:
            streams.remove(stream)
