# A guest for shadow_test: threads that hand things to each other through pipes, sockets and sets, children, timers and signals, all the time;
# checkpoints are taken of it at any moment. Its result, in $OUT, is always the same. Files are written at their position only: the
# folder is not as it was when the checkpoint was taken.
#
# usage: shadow_busy.py [SECONDS]    lasts about so much longer
import os, select, signal, socket, subprocess, sys, threading, time

out = os.open(os.environ['OUT'], os.O_WRONLY | os.O_CREAT, 0o600)
at = 0
def say(*a):
    global at
    line = (' '.join(map(str, a)) + '\n').encode()
    os.pwrite(out, line, at)
    at += len(line)

got = []
signal.signal(signal.SIGALRM, lambda *a: got.append(1))
a, b = socket.socketpair()
c, d = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
pipe_in, pipe_out = os.pipe()
event = os.eventfd(0, os.EFD_SEMAPHORE | os.EFD_NONBLOCK)
name = '\0' + os.environ['OUT']  # of this test alone
server = socket.socket(socket.AF_UNIX)
server.bind(name)
server.listen(4)

def serve():
    for i in range(40):
        s, _ = server.accept()
        s.sendall(s.recv(100)[::-1])
        s.close()
def echo():
    poll = select.epoll()
    poll.register(b, select.EPOLLIN)
    for i in range(300):
        poll.poll()
        b.sendall(b.recv(5, socket.MSG_WAITALL).upper())
    poll.close()
def packets():
    for i in range(200):
        d.send(b'%d' % (int(c_of(i)) * 2))
def c_of(i):
    return d.recv(100)
def writer():
    for i in range(300):
        os.write(pipe_out, b'%09d' % i)
        os.eventfd_write(event, 1)
        if i % 10 == 0: time.sleep(0.002)
workers = [threading.Thread(target=f) for f in (serve, echo, packets, writer)]
[w.start() for w in workers]

total = 0
for i in range(300):
    a.sendall(b'%05d' % i)
    total += int(a.recv(5, socket.MSG_WAITALL))
    if i % 3 == 0 and i < 600:
        total += int(os.read(pipe_in, 9))
    if i < 200:
        c.send(b'%d' % i)
        total += int(c.recv(100))
    if i % 50 == 0:
        say('child', subprocess.run(['/bin/sh', '-c', 'read x; echo "<$x>"'], input=b'%d\n' % i, stdout=subprocess.PIPE).stdout)
        r, w = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.write(w, b'from the child')
            os._exit(i // 50)
        say(os.read(r, 100), os.waitpid(pid, 0)[1])
        os.close(r); os.close(w)
    if i < 40:
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(name)
            s.sendall(b'abc%d' % i)
            say(s.recv(100))
    if i % 60 == 30:
        before = len(got)
        signal.setitimer(signal.ITIMER_REAL, 0.005)
        while len(got) == before: time.sleep(0.001)
    if i % 20 == 0: say('sum', total)
    if len(sys.argv) > 1: time.sleep(float(sys.argv[1]) / 300)
while total < 10**12:
    chunk = os.read(pipe_in, 9)
    total += int(chunk)
    if chunk == b'%09d' % 299: break
[w.join() for w in workers]
count = 0
try:
    while True: os.eventfd_read(event); count += 1
except BlockingIOError: pass
say('end', total, count, len(got))
sys.exit(9)
