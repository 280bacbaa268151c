// A mutex whose holder runs at the priority of whoever waits for it.
//
// A mirror's threads and the gate's are real-time threads that have deadlines of tens of milliseconds; the pump and the threads of
// JavaScript are not. With a plain mutex an ordinary thread that is preempted while it holds one makes a real-time thread wait for its
// next turn, which on a busy machine is later than the deadline: the peer takes this host for dead.
//
// Must not: be replaced by std::mutex where a real-time thread takes it too.
#pragma once
#include <pthread.h>

namespace understudy::host {

class PiMutex {
 public:
  PiMutex() {
    pthread_mutexattr_t attr;
    pthread_mutexattr_init(&attr);
    pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT);
    pthread_mutex_init(&mutex_, &attr);
    pthread_mutexattr_destroy(&attr);
  }
  ~PiMutex() { pthread_mutex_destroy(&mutex_); }
  PiMutex(const PiMutex&) = delete;
  PiMutex& operator=(const PiMutex&) = delete;
  void lock() { pthread_mutex_lock(&mutex_); }
  bool try_lock() { return pthread_mutex_trylock(&mutex_) == 0; }
  void unlock() { pthread_mutex_unlock(&mutex_); }

 private:
  pthread_mutex_t mutex_;
};

}  // namespace understudy::host
