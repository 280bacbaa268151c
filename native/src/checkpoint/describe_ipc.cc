// System V IPC: segments, semaphores, and queues with what is in them.
#include <stdio.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>

#include <algorithm>

#include "describe_parts.h"

namespace understudy::host::checkpoint {
namespace {

constexpr int kMessageCopy = 040000;  // MSG_COPY: by index, and left where it is

union SemaphoreArgument {
  int value;
  semid_ds* set;
  unsigned short* values;
};

// The lines of /proc/sysvipc/NAME but for the heading, of the namespace that this thread is in.
std::vector<std::string> table(const char* name, KernelObjects* out) {
  std::string text;
  std::vector<std::string> lines;
  // Whoever opens it sees the objects of its own namespace.
  if (!read_file(std::string("/proc/sysvipc/") + name, &text)) {
    // A kernel without System V IPC has no such folder, and the group nothing to describe.
    if (errno != ENOENT) out->missing.push_back(std::string("System V objects cannot be listed: ") + errno_text(errno));
    return lines;
  }
  for (size_t at = text.find('\n'); at != std::string::npos && at + 1 < text.size();) {
    const size_t end = text.find('\n', at + 1);
    lines.push_back(text.substr(at + 1, end == std::string::npos ? std::string::npos : end - at - 1));
    at = end;
  }
  return lines;
}

void missing(const char* what, int id, KernelObjects* out) {
  out->missing.push_back(std::string(what) + " " + std::to_string(id) + " cannot be read: " + errno_text(errno));
}

void describe_segments(const std::function<bool(pid_t)>& ours, KernelObjects* out) {
  for (const std::string& line : table("shm", out)) {
    SharedSegment s;
    unsigned long long bytes;
    int creator = 0;
    if (sscanf(line.c_str(), "%d %d %o %llu %d", &s.key, &s.id, &s.mode, &bytes, &creator) != 5 || !ours(creator))
      continue;
    s.bytes = bytes;
    shmid_ds ds{};
    if (shmctl(s.id, IPC_STAT, &ds) != 0) {
      missing("shared segment", s.id, out);
      continue;
    }
    s.uid = ds.shm_perm.uid;
    s.gid = ds.shm_perm.gid;
    out->segments.push_back(s);
  }
}

void describe_semaphores(const std::function<bool(int)>& used, KernelObjects* out) {
  for (const std::string& line : table("sem", out)) {
    SemaphoreSet s;
    unsigned count = 0;
    if (sscanf(line.c_str(), "%d %d %o %u", &s.key, &s.id, &s.mode, &count) != 4 || !used(s.id)) continue;
    semid_ds ds{};
    SemaphoreArgument argument{};
    argument.set = &ds;
    s.values.resize(count);
    if (semctl(s.id, 0, IPC_STAT, argument) != 0) {
      missing("semaphore set", s.id, out);
      continue;
    }
    argument.values = s.values.data();
    if (count > 0 && semctl(s.id, 0, GETALL, argument) != 0) missing("semaphore set", s.id, out);
    s.uid = ds.sem_perm.uid;
    s.gid = ds.sem_perm.gid;
    out->semaphores.push_back(std::move(s));
  }
}

void describe_queues(const std::function<bool(int)>& used, KernelObjects* out) {
  for (const std::string& line : table("msg", out)) {
    MessageQueue q;
    if (sscanf(line.c_str(), "%d %d %o", &q.key, &q.id, &q.mode) != 3 || !used(q.id)) continue;
    msqid_ds ds{};
    if (msgctl(q.id, IPC_STAT, &ds) != 0) {
      missing("message queue", q.id, out);
      continue;
    }
    q.uid = ds.msg_perm.uid;
    q.gid = ds.msg_perm.gid;
    q.bytes_max = ds.msg_qbytes;
    std::vector<char> buffer(sizeof(long) + std::max<size_t>(ds.msg_qbytes, 1));
    for (size_t i = 0; i < ds.msg_qnum; i++) {
      const ssize_t n = msgrcv(q.id, buffer.data(), buffer.size() - sizeof(long), long(i), kMessageCopy | IPC_NOWAIT);
      if (n < 0) {
        missing("message queue", q.id, out);
        break;
      }
      long type;
      memcpy(&type, buffer.data(), sizeof type);
      q.messages.emplace_back(type, std::string(buffer.data() + sizeof type, size_t(n)));
    }
    out->queues.push_back(std::move(q));
  }
}

}  // namespace

void describe_ipc(const std::vector<pid_t>& pids, KernelObjects* out) {
  const bool own = !same_namespace(pids.front(), "ipc");
  const auto describe_all = [&] {
    // On a namespace that others use too, a segment tells who made it; of semaphores and queues nobody knows whose they are, and they
    // are the machine's, not the group's.
    describe_segments([&](pid_t creator) { return own || std::find(pids.begin(), pids.end(), creator) != pids.end(); },
                      out);
    describe_semaphores([&](int) { return own; }, out);
    describe_queues([&](int) { return own; }, out);
  };
  if (int error = in_namespace_of(pids.front(), "ipc", describe_all))
    out->missing.push_back("the IPC namespace cannot be entered: " + errno_text(error));
}

}  // namespace understudy::host::checkpoint
