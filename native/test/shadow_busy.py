# A guest for shadow_test: threads that hand things to each other through pipes, sockets and sets, children, timers and signals, all the time;
# checkpoints are taken of it at any moment. Its result, in $OUT, is always the same. Files are written at their position only: the
# folder is not as it was when the checkpoint was taken.
#
# usage: shadow_busy.py [SECONDS]    lasts about so much longer
#
# With a folder $OWN, which is its own on each host and goes along with it, it also keeps files there: appended to, written in place, made,
# renamed and removed. At its end all of them must say what has been written.
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

own = os.environ.get('OWN')
own = own if own and os.path.isdir(own) else None
def keep_files():
    log = os.open(own + '/log', os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    table = os.open(own + '/table', os.O_RDWR | os.O_CREAT, 0o600)
    os.ftruncate(table, 1 << 20)
    pause = (float(sys.argv[1]) if len(sys.argv) > 1 else 0.3) / 400
    for i in range(400):
        os.write(log, b'%07d\n' % i)
        os.pwrite(table, b'%07d\n' % i, (i * 7919 % 50000) * 20)
        with open(own + '/note-%d' % (i % 10), 'w') as f: f.write('note %d' % i)
        if i % 10 == 3: os.rename(own + '/note-3', own + '/moved')
        if i % 10 == 4: os.mkdir(own + '/dir-%d' % (i // 10))
        if i % 10 == 5: os.link(own + '/note-5', own + '/dir-%d/link' % (i // 10))
        if i % 10 == 6 and i > 10: os.unlink(own + '/dir-%d/link' % (i // 10 - 1)); os.rmdir(own + '/dir-%d' % (i // 10 - 1))
        if pause: time.sleep(pause)
    os.close(log)
    os.close(table)
def look_at_files():
    # By another process: what is in the files, not what the journal says of reading them.
    script = '''
import os
assert open('log').read() == ''.join('%07d\\n' % i for i in range(400)), 'log'
table = open('table', 'rb').read()
expected = bytearray(1 << 20)
for i in range(400):
    at = (i * 7919 % 50000) * 20
    expected[at:at + 8] = b'%07d\\n' % i
assert table == bytes(expected), 'table'
for n in range(10):
    if n != 3: assert open('note-%d' % n).read() == 'note %d' % (390 + n), n
assert open('moved').read() == 'note 393'
assert sorted(os.listdir('.')) == sorted(['log', 'table', 'moved', 'dir-39'] + ['note-%d' % n for n in range(10) if n != 3]), os.listdir('.')
assert os.stat('note-5').st_ino == os.stat('dir-39/link').st_ino
print('as written')
'''
    return subprocess.run([sys.executable, '-c', script], cwd=own, stdout=subprocess.PIPE, stderr=subprocess.STDOUT).stdout
workers = [threading.Thread(target=f) for f in (serve, echo, packets, writer) + ((keep_files,) if own else ())]
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
say('files', look_at_files() if own else b'as written\n')
say('end', total, count, len(got))
sys.exit(9)
