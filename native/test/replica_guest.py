# A guest for replica_test: threads, pipes, children, timers, signals, sockets, files; its result, in $OUT, is always the same.
import os, threading, subprocess, time, signal, socket, select, sys
out=open(os.environ['OUT'],'w')
def p(*a): print(*a,file=out,flush=True)
p('start')
r,w=os.pipe()
def worker(n):
    for i in range(5):
        os.write(w,b'%d'%n); time.sleep(0.001)
ts=[threading.Thread(target=worker,args=(k,)) for k in range(3)]
[t.start() for t in ts]; [t.join() for t in ts]
p(sorted(os.read(r,100)))
p(subprocess.run(['sh','-c','echo hi; cat'],input=b'abc',capture_output=True).stdout)
got=[]
signal.signal(signal.SIGALRM, lambda *a: got.append(1))
signal.setitimer(signal.ITIMER_REAL,0.02)
while not got: time.sleep(0.005)
p('alarm')
a,b=socket.socketpair()
ep=select.epoll(); ep.register(a,select.EPOLLIN)
b.send(b'xyz'); p(ep.poll(1)[0][1], a.recv(10))
pid=os.fork()
if pid==0:
    os.write(w,b'child'); os._exit(7)
p(os.waitpid(pid,0)[1], os.read(r,10))
d={i:str(i)*100 for i in range(2000)}
p(sum(len(v) for v in d.values()))
open('f.tmp','w').write('x'*10000); os.rename('f.tmp','f.done'); p(os.stat('f.done').st_size); os.unlink('f.done')
t0=time.monotonic(); time.sleep(0.01); p(time.monotonic()-t0>=0.01)
p('end')
sys.exit(3)
