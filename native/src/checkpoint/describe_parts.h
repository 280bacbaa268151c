// What describe.cc is made of; each fills in its part of KernelObjects.
#pragma once
#include "common.h"
#include "describe.h"

namespace understudy::host::checkpoint {

// `fd`: a borrowed one. What cannot be read goes to `missing`.
void describe_pipe(int fd, uint64_t ino, uint32_t flags, KernelObjects* out, OpenFile* file);
void describe_socket(int fd, uint64_t ino, KernelObjects* out, OpenFile* file);
// Peers, listeners: what only the socket diagnosis of the network namespace knows.
void describe_unix_peers(pid_t pid, KernelObjects* out);
// Of an inotify's watches: which path each means, as the process finds it.
void name_watched(pid_t pid, OpenFile* file);
void describe_ipc(const std::vector<pid_t>& pids, KernelObjects* out);

// Runs f in a thread that has entered the process's namespace (`which`: "net", "ipc"); in this one when that is the same. An errno when that
// is not possible.
int in_namespace_of(pid_t pid, const char* which, const std::function<void()>& f);
bool same_namespace(pid_t pid, const char* which);

}  // namespace understudy::host::checkpoint
