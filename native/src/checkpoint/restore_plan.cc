// See restore_plan.h.
#include "restore_plan.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>

#include "plan_bytes.h"
#include "sha256.h"

namespace understudy::host::checkpoint {
namespace {

std::string scratch_file(std::string path, const std::string& name) {
  path += '/';
  path += name;
  return path;
}

constexpr uint32_t kZeros = ~0u;

[[noreturn]] void cannot_read(const std::string& path, const std::string& why) {
  throw HostError("CHECKPOINT_READ", EINVAL, path, path + ": " + why);
}
[[noreturn]] void cannot_write(const std::string& path) {
  const int error = errno;
  throw HostError("CHECKPOINT_READ", error, path,
                  "cannot prepare the restore of a checkpoint: " + path + ": " + errno_text(error));
}

std::string hex16(uint64_t v) {
  char text[17];
  snprintf(text, sizeof text, "%016lx", (unsigned long)v);
  return text;
}

UniqueFd create(const std::string& path) {
  UniqueFd file(open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  // The guest's user, in a directory that is closed to others.
  if (!file || fchmod(file.get(), 0666) != 0) cannot_write(path);
  return file;
}

}  // namespace

Restore::Restore(const std::string& journal_dir, uint64_t seq) : chain_(journal_dir, seq) {
  const Section* kernel = chain_.manifest().section(kKernelSection);
  if (kernel != nullptr && !decode_objects(kernel->data, &kernel_.emplace()))
    cannot_read(chain_.file(0).path(), "the section \"" + std::string(kKernelSection) + "\" is malformed");
  const std::string wrong = decode_group(chain_.manifest().sections, &group_);
  if (!wrong.empty()) cannot_read(chain_.file(0).path(), wrong);
  // The stub becomes the first: in a PID namespace that has to be the guest's root process.
  std::stable_sort(group_.processes.begin(), group_.processes.end(), [](const ProcessState& a, const ProcessState& b) {
    return a.pid == kRootInside && b.pid != kRootInside;
  });
}

void Restore::check(const MemoryFile& memory, const std::string& agent_path, const std::string& blob_dir) const {
  const std::string& path = chain_.file(0).path();
  const std::string differs = incompatibility(chain_.manifest().host, local_identity());
  if (!differs.empty()) cannot_read(path, "this machine cannot go on with it: " + differs);
  UniqueFd agent(open(agent_path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat st {};
  Sha256 sha;
  if (!agent || fstat(agent.get(), &st) != 0 || !sha256_of_file(agent.get(), uint64_t(st.st_size), &sha))
    cannot_read(agent_path, errno_text(errno));
  // It holds the agent's own structures, and addresses of its code.
  if (group_.abi_version != abi::kAbiVersion || group_.agent_sha != hex(sha.data(), sha.size()))
    cannot_read(path,
                "the checkpoint was taken with another build of the agent; replay the journal from its beginning");
  if (group_.guest_fd != memory.control().guest_fd)
    cannot_read(path, "the limit on open files is another than when this was recorded: set it with ulimit -n " +
                          std::to_string(group_.guest_fd + 1));
  for (const BlobState& blob : group_.blobs)
    if (access((blob_dir + "/" + blob.sha).c_str(), R_OK) != 0)
      cannot_read(blob_dir + "/" + blob.sha,
                  "the journal has no readable copy of " + blob.path + ", which the guest has mapped");
}

// As the agent does for each FILE event (agent/src/blobs.cc).
void Restore::write_blobs(BlobStore& blobs, const std::string& scratch_dir, const std::string& guest_blob_dir) const {
  for (const BlobState& blob : group_.blobs) {
    const std::string name = scratch_dir + "/blob-" + hex16(blob.index);
    if (symlink((guest_blob_dir + "/" + blob.sha).c_str(), name.c_str()) != 0) cannot_write(name);
    const std::string note = scratch_dir + "/note-" + hex16(blob.index);
    const uint64_t fields[3] = {blob.size, blob.dev, blob.ino};
    if (int error = write_all(create(note).get(), fields, sizeof fields)) {
      errno = error;
      cannot_write(note);
    }
    Sha256 sha;
    if (blob.sha.size() != sha.size() * 2) cannot_read(chain_.file(0).path(), "a blob's hash is malformed");
    for (size_t i = 0; i < sha.size(); i++) sha[i] = uint8_t(strtoul(blob.sha.substr(i * 2, 2).c_str(), nullptr, 16));
    blobs.declare(blob.index, sha);
  }
}

void Restore::write_shared(const std::string& scratch_dir) const {
  std::vector<uint8_t> buffer(1 << 20);
  for (const SharedState& object : group_.shared) {
    const Space* space = chain_.manifest().space(object.space);
    if (space == nullptr || space->regions.empty()) cannot_read(chain_.file(0).path(), "a shared object has no space");
    std::string name = "shared-" + std::to_string(object.space);
    // Where the agent looks for it when the guest maps it again.
    std::string own = object.kind == SharedState::kFile   ? "file-" + hex16(object.dev) + hex16(object.ino)
                      : object.kind == SharedState::kSysV ? "shm-" + hex16(object.ino)
                                                          : "";
    const std::string path = scratch_file(scratch_dir, own.empty() ? name : own);
    UniqueFd file = create(path);
    if (ftruncate(file.get(), off_t(object.bytes)) != 0) cannot_write(path);
    if (!own.empty() && symlink(own.c_str(), scratch_file(scratch_dir, name).c_str()) != 0) cannot_write(path);
    for (const PageRun& run : chain_.resolve(object.space)) {
      if (run.place.kind != Place::kSlot) continue;
      for (uint64_t done = 0; done < run.count;) {
        const uint64_t n = std::min<uint64_t>(run.count - done, buffer.size() / kPageBytes);
        chain_.file(run.place.file).read(run.place.slot + done, n, buffer.data());
        const uint64_t at = (run.page + done) * kPageBytes;
        const uint64_t len = at >= object.bytes ? 0 : std::min(n * kPageBytes, object.bytes - at);
        if (len > 0 && pwrite(file.get(), buffer.data(), len, off_t(at)) != ssize_t(len)) cannot_write(path);
        done += n;
      }
    }
  }
}

void Restore::place_named(const std::string& root, const std::string& scratch_dir) const {
  if (root.empty()) return;  // the host's own folder: others have files there
  for (const SharedState& object : group_.shared) {
    if (object.path.empty()) continue;
    const std::string name = object.kind == SharedState::kFile ? "file-" + hex16(object.dev) + hex16(object.ino)
                                                               : "shared-" + std::to_string(object.space);
    const std::string copy = scratch_file(scratch_dir, name), path = root + object.path;
    const UniqueFd from(open(copy.c_str(), O_RDONLY | O_CLOEXEC));
    const UniqueFd to(open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!from || !to || ftruncate(to.get(), off_t(object.bytes)) != 0) cannot_write(path);
    std::vector<uint8_t> buffer(1 << 20);
    for (off_t at = 0; (at = lseek(from.get(), at, SEEK_DATA)) >= 0;) {
      const ssize_t n = pread(from.get(), buffer.data(), buffer.size(), at);
      if (n <= 0 || pwrite(to.get(), buffer.data(), size_t(n), at) != n) cannot_write(path);
      at += n;
    }
    if (fchown(to.get(), object.uid, object.gid) != 0 || fchmod(to.get(), object.mode & 07777) != 0) cannot_write(path);
    // What maps it finds it in the scratch directory, and whoever opens it by its name is to see the same memory.
    if (unlink(copy.c_str()) != 0 || symlink(object.path.c_str(), copy.c_str()) != 0) cannot_write(copy);
  }
}

DescriptorPlan Restore::plan_kernel(const abi::Control& control, PlanBytes* out) const {
  if (!kernel_)
    throw HostError("CHECKPOINT_UNSUPPORTED", ENOTSUP, chain_.file(0).path(),
                    chain_.file(0).path() + " was taken for replays, and does not say what the program had open");
  DescriptorOptions options;
  options.guest_fd = control.guest_fd;
  options.root_pid = group_.processes.front().pid;
  options.shared_paths = control.shared_paths;
  options.true_pids = (control.flags & abi::kFlagPidNamespace) != 0;
  return plan_descriptors(*kernel_, options, out);
}

void Restore::write_plan(const abi::Control& control, const std::string& scratch_dir) {
  PlanBytes out;
  abi::RestorePlan plan{};
  const uint64_t plan_at = out.reserve(sizeof plan);
  DescriptorPlan kernel;
  if ((control.flags & abi::kFlagShadow) != 0) kernel = plan_kernel(control, &out);
  plan.steps = out.put(kernel.steps);
  plan.step_count = uint32_t(kernel.steps.size());
  plan.first_number = kernel.first_number;
  warnings_ = kernel.warnings;
  unix_names_ = kernel.unix_names;
  plan.magic = abi::kMagic;
  plan.abi_version = abi::kAbiVersion;
  plan.process_count = uint32_t(group_.processes.size());
  std::vector<abi::RestoreProcess> processes;
  for (const ProcessState& state : group_.processes) {
    static const Space kNoSpace;
    const Space* space = state.ended ? &kNoSpace : chain_.manifest().space(state.space);
    if (space == nullptr) cannot_read(chain_.file(0).path(), "a process has no memory");
    abi::RestoreProcess p{};
    p.session = state.session;
    p.group = state.group;
    p.end_status = state.end_status;
    p.slot = state.slot;
    p.pid = state.pid;
    p.parent = ~0u;
    for (size_t i = 0; i < group_.processes.size(); i++)
      if (group_.processes[i].pid == state.parent) p.parent = uint32_t(i);
    p.process_block = state.process_block;
    p.stack_limit = state.stack_limit;
    p.stack_begin = state.stack_begin;
    memcpy(p.fd_emit, state.fd_emit.data(), std::min(state.fd_emit.size(), sizeof p.fd_emit));
    if (const auto open = kernel.processes.find(state.pid); open != kernel.processes.end() && !state.ended) {
      p.descriptors = out.put(open->second.descriptors);
      p.descriptor_count = uint32_t(open->second.descriptors.size());
      p.steps = out.put(open->second.steps);
      p.step_count = uint32_t(open->second.steps.size());
      p.timers = out.put(&open->second.timers, sizeof open->second.timers, 16);
    }
    std::vector<abi::RestoreRegion> regions;
    std::vector<abi::RestoreCopy> copies;
    for (const Region& region : space->regions) {
      abi::RestoreRegion r{};
      r.addr = region.start;
      r.len = region.end - region.start;
      r.offset = region.offset;
      r.prot = region.prot;
      if (!decode_region_kind(region.extra, &r.kind, &r.number))
        cannot_read(chain_.file(0).path(), "a region's description is malformed");
      if (r.kind != abi::kRestoreShared) {
        for (const PageRun& run : chain_.resolve(state.space, region)) {
          // Zeros are what an anonymous mapping has anyhow.
          if (run.place.kind != Place::kSlot && r.kind == abi::kRestoreAnonymous) continue;
          abi::RestoreCopy c{};
          c.addr = run.page * kPageBytes;
          c.len = run.count * kPageBytes;
          c.file = run.place.kind == Place::kSlot ? run.place.file : kZeros;
          c.file_offset = run.place.kind == Place::kSlot ? StateFile::offset_of(run.place.slot) : 0;
          copies.push_back(c);
          r.filled = 1;
        }
      }
      regions.push_back(r);
    }
    p.region_count = uint32_t(regions.size());
    p.regions = out.put(regions);
    p.copy_count = uint32_t(copies.size());
    p.copies = out.put(copies);
    std::vector<abi::RestoreThread> threads;
    for (const ThreadState& t : group_.threads) {
      if (t.process != state.slot) continue;
      abi::RestoreThread thread{t.gtid, t.tid, t.block, t.fs_base, 0, t.xsave.size()};
      thread.xsave = out.put(t.xsave.data(), t.xsave.size(), 64);
      threads.push_back(thread);
    }
    if (threads.empty() && !state.ended) cannot_read(chain_.file(0).path(), "a process has no threads");
    // The process's first thread has its number.
    std::stable_sort(threads.begin(), threads.end(), [&](const abi::RestoreThread& a, const abi::RestoreThread& b) {
      return a.tid == state.pid && b.tid != state.pid;
    });
    p.thread_count = uint32_t(threads.size());
    plan.thread_count += p.thread_count;
    p.threads = out.put(threads);
    std::vector<abi::RestoreBlock> blocks;
    for (const BlockState& block : group_.blocks)
      if (block.process == state.slot)
        blocks.push_back({block.address, out.put(block.bytes.data(), block.bytes.size(), 16)});
    p.block_count = uint32_t(blocks.size());
    p.blocks = out.put(blocks);
    p.kept_bytes = state.kept.size();
    p.kept = out.put(state.kept.data(), state.kept.size(), 16);
    processes.push_back(p);
  }
  plan.processes = out.put(processes);
  plan.bytes = out.bytes().size();
  out.set(plan_at, plan);
  const std::string path = scratch_dir + "/" + abi::kRestorePlanName;
  if (int error = write_all(create(path).get(), out.bytes().data(), out.bytes().size())) {
    errno = error;
    cannot_write(path);
  }
}

void Restore::link_pages(const std::string& scratch_dir, std::vector<Bind>* binds) const {
  for (uint32_t i = 0; i < chain_.size(); i++) {
    const std::string name = abi::kRestorePagesName + std::to_string(i);
    const std::string path = scratch_file(scratch_dir, name), file = std::filesystem::absolute(chain_.file(i).path());
    if (binds != nullptr) {
      create(path);
      binds->push_back({file, scratch_file(kStageScratch, name), true});
    } else if (symlink(file.c_str(), path.c_str()) != 0) {
      cannot_write(path);
    }
  }
}

void Restore::set_control(abi::Control& control) const {
  control.next_gtid = group_.next_gtid;
  control.next_process = group_.next_process;
  control.last_gtid = group_.last_gtid;
  control.live_threads = uint32_t(group_.threads.size());
  std::copy(group_.clocks.begin(), group_.clocks.end(), control.clock_last_ns);
  for (const ThreadState& t : group_.threads) {
    abi::ThreadSlot& slot = control.threads[t.gtid % abi::kMaxThreads];
    slot.state = abi::kThreadLive;
    slot.gtid = t.gtid;
    slot.tid = t.tid;
    slot.process = t.process;
    slot.events = t.events;
    slot.resume = t.resume;
    slot.block = t.block;
  }
  for (const ProcessState& p : group_.processes) {
    abi::ProcessSlot& slot = control.processes[p.slot];
    slot.state = p.ended ? abi::kThreadExited : abi::kThreadLive;
    // Without a namespace of its own it is known when the process is made again.
    slot.pid = (control.flags & abi::kFlagPidNamespace) != 0 ? p.pid : 0;
    for (const ProcessState& parent : group_.processes)
      if (parent.pid == p.parent) slot.parent = parent.slot;
  }
  control.ring.head_seq = control.ring.tail_seq = seq();
  for (size_t i = 0; i < unix_names_.size(); i++) control.pair.unix_names[i % abi::kUnixNames] = unix_names_[i];
  control.pair.unix_name_count = unix_names_.size();
  control.restore = 1;
}

void Restore::prepare(MemoryFile& memory, BlobStore& blobs, const std::string& agent_path,
                      const std::string& scratch_dir, std::vector<Bind>* binds) {
  abi::Control& control = memory.control();
  check(memory, agent_path, blobs.blob_dir());
  write_blobs(blobs, scratch_dir, control.blob_dir);
  write_shared(scratch_dir);
  write_plan(control, scratch_dir);
  link_pages(scratch_dir, binds);
  set_control(control);
}

}  // namespace understudy::host::checkpoint
