// The warden watches the group's processes live and die, through pidfds.
//
// Invariants:
//  - A process that died without telling (SIGKILL, out of memory) becomes a KILLED event, appended as a holder of the baton.
//  - END is the journal's last event, appended when no process of the group is alive.
//  - Every pidfd is opened while the process still exists; later signals cannot hit a reused pid.
//
// Must not: reap children other than the root process. Node's own children are Node's, orphans are init's.
#pragma once
#include <atomic>
#include <functional>
#include <map>
#include <mutex>

#include "launcher.h"
#include "memory_file.h"

namespace understudy::host {

class Warden {
 public:
  struct Hooks {
    // Record: everything published so far is in the journal, `events` is their number. False: the journal is lost, append nothing.
    std::function<bool(uint64_t* events)> drain;
    // Control::outcome changed (replay), or an agent reported a fault. Called on the warden's thread.
    std::function<void(abi::Outcome)> outcome;
    // A member was killed from outside. Record: true if that is not to be recorded (a replica goes on instead). Replay: the journal
    // does not say so; not called once it is told to go live. May be empty.
    std::function<bool(bool root, int signal)> killed;
    // Every process of the group is gone.
    std::function<void()> group_ended;
    std::function<void(abi::MessageLevel, const std::string&)> report;
  };
  Warden(MemoryFile& memory, Launcher& launcher, const Enclosure& enclosure, Hooks hooks);
  ~Warden();
  void stop();

  void watch_root(pid_t pid);
  // kRpcJoin: 0 or a negative errno. `inside`: the number in Control.
  int join(pid_t inside, uint32_t slot);
  // SIGKILL for every process, also those that were forked and have not joined yet. Repeats until the group is gone.
  void kill_group();
  int signal_root(int signal);
  uint32_t processes() const;

  // Record: nobody of the group runs guest code from here until resume(): every thread waits for the baton, or is in a system call
  // whose event is not in the journal, or stands at a position of which a PREEMPT event tells. False: not within the time, or
  // somebody died. Not from the warden's own thread.
  // `given_up` ends the wait.
  // A thread that is alone keeps the baton while it is in a call. Who sleeps there is stopped by `freeze` (the host's number), which says
  // whether the call is one that can be begun again; and let go by `thaw`, or by the caller just
  // before resume().
  struct Freezer {
    std::function<bool(pid_t tid)> freeze;
    std::function<void(pid_t tid)> thaw;
  };
  bool pause(uint64_t timeout_ns, const std::atomic<bool>& given_up, const Freezer& freezer);
  void resume();

 private:
  struct Member {
    UniqueFd pidfd;
    pid_t pid;     // the host's number
    pid_t inside;  // the number in Control
    int slot;      // -1: not known yet
  };
  void run();
  void run_outcome_watch();
  void poll_once();
  void adopt_strangers();
  bool group_is_over();
  bool is_of_dead(const abi::ThreadSlot& thread) const;
  void on_death(Member& member);
  void record_death(int slot, pid_t inside, bool is_root, int signal);
  void append_killed(uint32_t slot, int signal);
  void append_end();
  void append(const uint8_t* event, size_t len, uint64_t events_before);
  bool take_baton(pid_t dead_inside);
  bool add_locked(pid_t inside, int slot);
  void ask_for_kick(uint32_t holder);
  // How the thread is scheduled, as /proc has it: 'S', 'R' …; 0: it is gone.
  char state_of(const abi::ThreadSlot& thread) const;
  bool waits_in_call(const abi::ThreadSlot& thread) const;
  void kick(const abi::ThreadSlot& thread) const;
  void release_baton();
  void kill_all_locked();

  MemoryFile& memory_;
  Launcher& launcher_;
  const Enclosure& enclosure_;
  Hooks hooks_;
  mutable std::mutex mutex_;
  std::vector<Member> members_;
  pid_t root_ = -1;
  bool root_known_ = false, killing_ = false;
  bool unrecorded_ = false;  // the guest's end is none: see Hooks::killed
  uint32_t stopping_ = 0;
  std::mutex baton_mutex_;  // who of the host has the baton, or waits for it
  bool frozen_ = false;     // paused without the baton
  UniqueFd wake_;           // eventfd
  std::thread thread_, outcome_thread_;
};

}  // namespace understudy::host
