// The contract between the agent (inside the guest) and the host side (native/): the layout of the memory
// file that both map, and every word that both touch.
//
// Invariants:
//  - Plain data of fixed size; no pointers of one side are followed by the other.
//  - Only the holder of the baton appends to the ring (record) or consumes from it (replay), so the ring has one
//    writer and one reader and needs no lock.
//  - Bump kAbiVersion on any change: agent and host are built together, but a stale build must be refused.
//
// Must not: include anything but <stdint.h>, or hold code that needs a libc; both worlds compile it.
#pragma once
#include <stdint.h>

namespace understudy::abi {

inline constexpr uint32_t kMagic = 0x55445359;  // "UDSY"
inline constexpr uint32_t kAbiVersion = 15;

// ---- Address layout in every guest process -------------------------------------------------------------
// One reserved stretch far from where the kernel, glibc, Go, ASan and TSan place things. The agent's ELF file is
// linked to run at kImageAddr; nothing of it is relocated at run time.
inline constexpr uint64_t kAgentBase = 0x5e0000000000;
inline constexpr uint64_t kControlAddr = kAgentBase;               // Control, shared
inline constexpr uint64_t kRpcAddr = kAgentBase + 0x00400000;      // RPC payload area, shared
inline constexpr uint64_t kNetAddr = kAgentBase + 0x00c00000;      // network ring, shared (NetRing, then its bytes)
inline constexpr uint64_t kImageAddr = kAgentBase + 0x01000000;    // agent text and data, private
inline constexpr uint64_t kVdsoAddr = kAgentBase + 0x0e000000;     // hot replica: the kernel's vDSO, moved here
inline constexpr uint64_t kThreadsAddr = kAgentBase + 0x10000000;  // per-thread blocks, private, mapped on demand
inline constexpr uint64_t kRestoreAddr = kAgentBase +
                                         0x20000000;  // while a checkpoint is restored: its plan, read-only
inline constexpr uint64_t kRestoreMax = 0x20000000;
inline constexpr uint64_t kRingAddr = kAgentBase + 0x40000000;  // ring, shared, mapped twice in succession
inline constexpr uint64_t kAgentEnd = kAgentBase + 0xc0000000;  // nothing of the agent lies at or above
inline constexpr uint64_t kStubAddr = 0x5d0000000000;           // the replay stub's own image

inline constexpr uint64_t kControlSize = 0x00100000;
inline constexpr uint64_t kRpcSize = 0x00800000;
inline constexpr uint64_t kNetSize = 0x00400000;
inline constexpr uint64_t kRingSizeMin = 1ull << 20;
inline constexpr uint64_t kRingSizeMax = 1ull << 30;
inline constexpr uint64_t kRingSizeDefault = 16ull << 20;

// Layout of the memory file. Control first, so that a process can map page 0 to learn the rest.
inline constexpr uint64_t kFileControl = 0;
inline constexpr uint64_t kFileRpc = kFileControl + kControlSize;
inline constexpr uint64_t kFileImage = kFileRpc + kRpcSize;  // PT_LOAD segments, each page-aligned, in order
inline constexpr uint64_t kFileImageMax = 16ull << 20;
inline constexpr uint64_t kFileNet = kFileImage + kFileImageMax;
inline constexpr uint64_t kFileRing = kFileNet + kNetSize;

inline constexpr uint64_t kThreadBlock = 192 << 10;  // of each thread, at kThreadsAddr: see thread.h
inline constexpr int kMaxThreads = 1024;
inline constexpr int kMaxProcesses = 512;
inline constexpr int kMaxMaps = 16;
inline constexpr int kPathMax = 1024;
inline constexpr int kClocks = 16;

enum Mode : uint32_t { kModeRecord = 1, kModeReplay = 2 };

// What a process maps to have the agent; filled by the host, applied in order with MAP_FIXED by the launcher
// (ptrace, record) or the stub (replay).
struct MapEntry {
  uint64_t addr, len, file_offset;
  uint32_t prot, flags;  // PROT_*, MAP_SHARED or MAP_PRIVATE (MAP_FIXED is added); MAP_ANONYMOUS for bss
};

// ---- Ring ------------------------------------------------------------------------------------------------
// Byte offsets grow for ever; the position in memory is offset & (size - 1). Mapped twice in succession, so an event
// never wraps. Record: the agent publishes `head` after each whole event, the pump advances `tail`. Replay: the
// feeder publishes `head` after whole events, the agent advances `tail`.
struct Ring {
  alignas(64) uint64_t head;  // bytes; release-stored by the producer, always at an event boundary
  uint64_t head_seq;          // events produced; stored before head (so it may run ahead of head, never behind)
  alignas(64) uint64_t tail;  // bytes; release-stored by the consumer
  uint64_t tail_seq;          // replay: events consumed
  alignas(64) uint32_t pump_sleeping;  // 1: the host side sleeps on pump_wake (futex) and wants a wake
  uint32_t pump_wake;                  // futex word; bumped to wake the host side
  uint32_t guest_sleeping;             // 1: an agent sleeps on guest_wake (ring full in record, empty in replay)
  uint32_t guest_wake;                 // futex word; bumped by the host side after it moved its end
  uint32_t closed;  // record: the host stopped taking (disk error under --on-journal-error); see Control::on_error
                    // replay: the feeder has published the last event; an empty ring now means the journal's end
  uint32_t pad_;
  uint64_t size;  // bytes, a power of two
  // Record: events that only make sense together (a call and its CHUNKs, an execve and its START) are taken together, so that what
  // a backup holds never ends among them. Odd: such a group is open and began at group_start.
  uint32_t group, pad2_;
  uint64_t group_start;
};

// ---- RPC: the baton holder asks the host; one request at a time --------------------------------------------
// futex word; agent: Idle->Request, waits; host: ->Done
enum RpcState : uint32_t { kRpcIdle = 0, kRpcRequest = 1, kRpcDone = 2 };
// clang-format off
enum RpcOp : uint32_t {
  kRpcJoin = 1,        // a new process `pid` is a member of the group; host opens a pidfd on it. a0 = process slot
  kRpcExecBegin = 2,   // thread `tid` is about to execve: PTRACE_SEIZE it with PTRACE_O_TRACEEXEC, re-inject at the exec stop
                       // (memory file is descriptor Control::guest_fd in the new image), then detach
  kRpcExecFailed = 3,  // the execve failed: detach from `tid`
  kRpcMapFile = 4,     // record: a file was mapped. in: fd a0, flags a1 (MapFlags). out: see MapFileReply
  kRpcSites = 5,       // text was mapped: in: blob index a0, file offset a1, length a2, address a3, trampoline address a4
                       // (0: the agent asks how much it needs). out: SitesReply, payload in the RPC area
  kRpcMessage = 6,     // payload: text for the user; a0 = MessageLevel
  kRpcMapBlob = 7,     // replay: declare blob: a0 = blob index; payload: 32-byte sha256 (from the FILE event). out: path
                       // of the blob's file as text in the payload area
  kRpcPickSite = 8,    // record: payload: u64 rips[a0], the program counters that a probe visited, in order. out: r[0] = index of
                       // one where a 5-byte jump can replace whole instructions, or ~0
  kRpcProbeStub = 9,   // replay: a0 = such a program counter, a1 = where the stub will lie (0: r[0] = bytes needed at most).
                       // in: payload ProbeSpec. out: r[0] = stub bytes, r[1] = offset of its int3, r[2] = offset at which the
                       // guest's own instructions go on; payload = stub, then 16 bytes: the patch (r[3] of them to be written)
  kRpcTrack = 10,      // record: a0 = process slot, a1 = a userfaultfd of the caller's, which the host takes a copy of
};
// clang-format on
// What a probe stub compares at each visit before it stops at its int3: registers by the processor's numbering, or 8-byte
// memory words. All must be equal. The stub changes no register, flag or stack byte; it may use gs:[kGsProbe0/1].
struct ProbeSpec {
  uint32_t count, pad;
  struct {
    uint32_t is_memory, reg;
    uint64_t addr, expected;
  } items[12];
};
enum MapFlags : uint64_t { kMapExec = 1, kMapShared = 2, kMapWritable = 4 };
enum MessageLevel : uint64_t { kInfo = 0, kWarning = 1, kError = 2 };

struct Rpc {
  alignas(64) uint32_t state;
  uint32_t op;
  int32_t pid, tid;  // with kFlagPidNamespace those of inside
  uint64_t a[6];
  int64_t result;        // 0 or a negative errno
  uint64_t r[6];         // op-specific results
  uint64_t payload_len;  // bytes at kRpcAddr, either direction
};

// kRpcMapFile: r[0] = blob index (dense from 0, per journal), r[1] = size of the file in bytes, r[2] = st_dev, r[3] = st_ino,
// r[4] = 1 when this index is new to the journal (the agent then appends a FILE event), payload = sha256[32] then the path.
// kRpcSites: r[0] = bytes of trampolines, r[1] = number of Patch entries; payload = Patch[r[1]] then the trampoline bytes.
// With a4 = 0 only r[0] (an upper bound) and r[1] are given.
struct Patch {
  uint64_t addr;  // where to write
  uint32_t len;   // 5..16 bytes; 1: an int3, see TrapSite
  uint32_t kind;  // SiteKind, for statistics
  uint8_t bytes[16];
};
// clang-format off
enum SiteKind : uint32_t { kSiteSyscall = 0, kSiteRdtsc = 1, kSiteRdtscp = 2, kSiteRdrand = 3, kSiteRdseed = 4, kSiteRdpid = 5,
                           kSiteCpuid = 6, kSiteKinds = 8 };
// clang-format on

// A stretch of trampolines begins with this. An instruction (not a system call: those have their net) whose site no jump fits
// has a trampoline too, but the way there leads through an int3 in place of its first byte and the agent's signal handler.
struct TrampolineHead {
  uint64_t syscall_entry, insn_entry;  // what the trampolines jump through
  uint64_t traps_offset, traps_count;  // TrapSite[], from the head's beginning
};
struct TrapSite {
  uint64_t site, trampoline;  // addresses
};

// A trampoline for a syscall site, at T (16-byte aligned):
//     T+0   48 8d 0d 06 00 00 00    lea  rcx, [rip + 6]          ; rcx = T+13, the continuation
//     T+7   ff 25 xx xx xx xx       jmp  [rip + xx]              ; -> Entry::syscall_entry
//     T+13  relocated instructions that the 5-byte jump overwrote after the syscall, then jmp back
// For a `mov eax, imm32; syscall` site patched backwards the mov comes first, at T-5 rounded so that the lea stays aligned;
// what matters to the agent is only: continuation = rcx, re-issue address = rcx - 13, both valid with the original registers.
// A trampoline for another instruction (rdtsc …): same shape, with
//     T+0   65 48 89 0c 25 <off32>  mov  gs:[kGsSavedRcx], rcx
//     T+9   48 8d 0d 0b 00 00 00    lea  rcx, [rip + 11]         ; rcx = continuation
//     T+16  65 c7 04 25 <off32> ... (kind | reg << 8 | opsize << 16) is stored by: mov dword gs:[kGsInsn], imm32   (12 bytes)
//           then jmp [rip + xx] -> Entry::insn_entry; the continuation follows the jmp. lea's displacement is set accordingly.
inline constexpr uint32_t kSyscallTrampolineHead = 13;
// offsets from gs base that trampolines may use
inline constexpr uint32_t kGsSelf = 0, kGsSavedRcx = 8, kGsInsn = 16, kGsProbe0 = 256, kGsProbe1 = 264;
inline constexpr uint32_t kGsRax = 184;  // while a thread is in a call: its number

// Filled from the agent's ELF symbols by the host when it loads the image.
struct Entry {
  uint64_t start;          // agent_start: where a fresh image begins; rdi = the guest's initial rsp (record)
  uint64_t syscall_entry;  // target of syscall trampolines
  uint64_t insn_entry;     // target of instruction trampolines
  uint64_t text_begin, text_end;
  uint64_t window_end[3];         // behind the `syscall` instructions that make the guest's calls
  uint64_t kept_begin, kept_end;  // what of the agent's data describes the guest: part of a checkpoint
};

// ---- Group members -----------------------------------------------------------------------------------------
enum ThreadState : uint32_t { kThreadFree = 0, kThreadLive = 1, kThreadExited = 2, kThreadKilled = 3 };
// index = gtid: the thread's number in the group, in order of creation, from 1; reused never within kMaxThreads live
// threads: gtid % kMaxThreads is the slot
struct ThreadSlot {
  uint32_t state;  // ThreadState
  uint32_t gtid;
  int32_t tid, pid;  // as the host sees them; with kFlagPidNamespace as the group sees them
  uint32_t process;  // process slot
  uint32_t turn;     // futex word: replay hand-over, record directed wake
  // record: 1 = kick me (tgsigqueue SIGSYS, value kKickMagic) if I make no event for kick_after_ms
  uint32_t attention;
  uint32_t patience_ms;    // record: added to kick_after_ms for a thread that computes rather than spins
  uint64_t attention_seq;  // events of this thread when attention was asked
  uint64_t events;         // events of this thread so far
  // For a checkpoint: how this thread goes on after it, and where in its process the agent's structures Thread and Process are.
  uint32_t resume;   // Resume
  uint32_t vforked;  // shares the memory of the process that made it
  uint64_t block, process_block;
};
enum Resume : uint32_t {
  kResumeCall = 0,    // makes the call again that it is in: no event of it is in the journal
  kResumeCode = 1,    // goes on in its code, where a PREEMPT event has found it
  kResumeSpawn = 2,   // has come to life, and begins
  kResumeUnborn = 3,  // is being made: no checkpoint now
  kResumeBusy = 4,    // in the middle of what cannot be begun again (vfork): no checkpoint now
};
inline constexpr int64_t kKickMagic = 0x554b49434b;  // sival of the host's kick
// The same, early: only a thread that stands in a loop where it was found spinning before takes it.
inline constexpr int64_t kKickHint = 0x554b49434c;

struct ProcessSlot {
  uint32_t state;  // ThreadState values: Live, Exited, Killed
  int32_t pid;     // as the host sees it; with kFlagPidNamespace as the group sees it
  uint32_t dying;  // set by exit_group or execve of one thread: the others must not run guest code any more
  uint32_t dead;   // set by the host when the pidfd became readable (record)
  uint32_t
      doomed;  // replay: by the journal somebody has sent it SIGKILL; if no KILLED event follows, it dies when the group goes live
  uint32_t images;  // record: how many processes and images this slot has had
  uint32_t waited;  // record: the journal has it that its end was waited for
  uint32_t parent;  // record: slot of the process that made it
};

// ---- Outcomes ------------------------------------------------------------------------------------------------
enum Outcome : uint32_t {
  kRunning = 0,
  kEnded = 1,       // the root process ended; status as of wait4
  kDiverged = 2,    // replay: see Divergence
  kJournalEnd = 3,  // replay: the journal's valid prefix is used up before the guest ended
  kStopped = 4,     // replay: --until reached; the guest is parked with its own registers at Divergence::rip
  kAgentFault = 5,  // an assertion in the agent failed; text in Divergence::detail
};
// clang-format off
enum DivergenceKind : uint32_t {  // the list of sources of nondeterminism that a divergence should name
  kKindUnknown = 0, kKindKernelResult = 1, kKindKernelWrite = 2, kKindStartState = 3, kKindInstruction = 4, kKindAgent = 5,
  kKindOrder = 6, kKindPlace = 7, kKindTime = 8,
};
// clang-format on
struct Divergence {
  uint32_t kind;  // DivergenceKind, the agent's guess
  uint32_t gtid;
  int32_t tid, pid;       // replay-side ids (with kFlagPidNamespace those of inside)
  uint64_t seq;           // of the event that did not match
  int64_t expected_kind;  // event kind (>= 0: syscall number)
  int64_t expected_ret;
  int64_t actual_kind;
  uint64_t actual_args[6];
  uint64_t regs[18];  // r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi rip rsp eflags, of the guest
  char detail[512];   // text
};

// ---- Pairs ---------------------------------------------------------------------------------------------------
// Record: an output waits until the backup holds every event that it depends on.
// `held` is written by the host: bytes of the ring (same counting as Ring::head) that the backup holds, ~0 when nothing has
// to wait (no backup). `needed` is what agents wait for, so that the host knows whether a wake is due.
// Replay by a hot replica: the host sets `live` when the journal's last event is in the ring and no more will come.
enum LiveState : uint32_t {
  kLiveFollow = 0,  // replay as events arrive
  kLiveDrain = 1,  // set by the host: after the ring's last event make the outputs that need no further event, into the
                   // network ring only, then stop before the first call that does
  kLiveDrained = 2,  // set by the agent: it stands there; the host may put connections into the shadow sockets
  kLiveOn = 3,       // set by the host: execute for real, and record. The ring's direction turns: the agent produces
};
inline constexpr uint32_t kUnixNames = 32;
struct Pair {
  alignas(64) uint64_t held;
  alignas(64) uint64_t needed;
  uint32_t sleepers;          // agents that sleep on held_wake
  uint32_t held_wake;         // futex word, bumped by the host after `held` has reached `needed`
  alignas(64) uint32_t live;  // LiveState; futex word
  uint32_t drained;           // agent: threads that have nothing to do any more before kLiveOn
  int64_t
      clock_offset_ns[4];  // replica, from kLiveOn: added to CLOCK_REALTIME (0), MONOTONIC (1), BOOTTIME (2) readings
  // The agent's own notes. Hot replica: names of unix sockets that the guest has bound (hashes). Primary: where in the ring the latest
  // complete output ended, and what that output had to wait for: with nothing between, the next one waits for the same.
  uint64_t unix_names[kUnixNames];
  uint64_t unix_name_count;
  // The address that connections of the guest's own come from, IPv4 as mapped; all zero: any. They must pass the gate, and come from
  // the same address after a takeover.
  uint8_t vip[16];
  uint64_t output_end, output_needed;
  // Primary: the host reads the network ring, to know how far the guest has read its connections (flows.h). It is set once, before the
  // guest runs, and taken back for good: the ring may be full of what nobody reads then.
  uint32_t flows;
  uint64_t stat_commits, stat_commit_waits, stat_commit_wait_ns;
};

// What a pair's agent tells the host of its sockets, in the order of the journal: a replica's all of this, a primary's (Pair::flows)
// connections and what was read from them. One producer (the baton's holder), one
// consumer. A message never wraps: where it does not fit before the end, a kNetPad message fills the rest.
struct NetRing {
  alignas(64) uint64_t head;  // bytes, by the agent; positions in memory are (offset & (kNetBytes - 1)) + kNetHeader
  alignas(64) uint64_t tail;  // bytes, by the host
  alignas(64) uint32_t host_sleeping, host_wake;  // futex pair as in Ring
  uint32_t guest_sleeping, guest_wake;
};
inline constexpr uint64_t kNetHeader = 4096, kNetBytes = 2ull << 20;
enum NetKind : uint32_t {
  kNetPad = 0,
  kNetListen = 1,  // a = backlog. payload: sockaddr as of bind (empty: not bound)
  kNetAccept =
      2,  // a = cookie of the listener. payload: u32 len, sockaddr of the client (len bytes, padded to 32), sockaddr local or len 0
  // Of a primary, both: a = ring offset behind the event.
  kNetConnect = 3,  // the guest connected outward (or began to). payload as kNetAccept: remote, then local
  kNetConsumed =
      4,  // a = bytes that the guest read from the stream. payload of a primary: u64 ring offset behind the event that says so
  kNetSent = 5,      // payload: bytes that the guest wrote to the stream
  kNetShutdown = 6,  // a = SHUT_RD, SHUT_WR, SHUT_RDWR
  kNetBind = 7,      // payload: sockaddr; a = socket type (SOCK_DGRAM: bound again when it goes live)
  kNetClose =
      8,  // the description's last reference known to the closing process is gone; a = 1: with reset (SO_LINGER 0)
};
struct NetMessage {
  uint32_t size;    // whole message, a multiple of 8
  uint32_t kind;    // NetKind
  uint64_t cookie;  // SO_COOKIE of the socket, a replica's shadow or the true one
  uint64_t a;
  uint32_t payload_bytes, pad;
};

enum OnError : uint32_t { kOnErrorStop = 0, kOnErrorContinue = 1 };

enum ControlFlags : uint32_t {
  kFlagPair = 1,    // record: outputs wait for Pair::held
  kFlagShadow = 2,  // replay: a hot replica, whose descriptors are real or shadows of what they will be
  // The group lives in a PID namespace of its own; the agent's pids and tids are those of inside. In replay the journal's group did
  // too: processes and threads get the numbers that they had, parents are the true ones, execve, wait and exit are carried out.
  kFlagPidNamespace = 4,
  // Record: checkpoints are being taken, which interrupts calls. Those that the kernel does not take up where they were interrupted are
  // made again for the time that is left.
  kFlagCheckpoints = 8,
  // Record: the host wants to know what each address space writes to: it is given a userfaultfd of it (kRpcTrack).
  kFlagTrack = 16,
};

// Replay with kFlagPidNamespace. Who is about to make a thread or process (the holder of the baton: nobody else of the group does so
// meanwhile) has the namespace's first process see to it that it gets the number that the journal has for it.
struct NextPid {
  alignas(64) uint32_t asked;  // futex word, bumped by the agent after `pid` is set
  uint32_t answered;           // futex word; equals `asked` when done
  int32_t pid;                 // the number that the kernel shall give next
  int32_t error;               // 0 or a negative errno
};

// ---- Restoring a checkpoint -------------------------------------------------------------------------------------------------
// What a replay that does not begin at the beginning is made of. The host writes it to scratch_dir/kRestorePlanName and sets
// Control::restore before it starts the stub; the agent maps it at kRestoreAddr. Offsets are from the plan's beginning.
inline constexpr char kRestorePlanName[] = "restore-plan";
inline constexpr char
    kRestorePagesName[] = "restore-pages-";         // and a number: links to the state file and those it is based on
inline constexpr uint64_t kThreadBytes = 16 << 10;  // of a structure Thread, rounded up
struct RestorePlan {
  uint32_t magic, abi_version;
  uint32_t process_count, thread_count;  // the first process is the one that the stub becomes
  uint64_t bytes;                        // of the whole plan
  uint64_t processes;                    // RestoreProcess[]
  // With kFlagShadow: what makes the open files of the group, in the first process before it makes others.
  uint64_t steps;  // RestoreStep[]
  uint32_t step_count;
  int32_t first_number;  // where the numbers of the files that are made begin
};
struct RestoreProcess {
  uint32_t slot;
  int32_t pid;      // with kFlagPidNamespace
  uint32_t parent;  // with kFlagPidNamespace: index in the plan; ~0: none of the group
  uint32_t thread_count, region_count, copy_count,
      block_count;                            // no thread: it has ended, and nobody has waited for it
  int32_t session, group;                     // with kFlagPidNamespace; 0: not known inside
  uint32_t end_status;                        // of one that has ended: as wait4 tells it
  uint64_t threads, regions, copies, blocks;  // RestoreThread[], RestoreRegion[], RestoreCopy[], RestoreBlock[]
  uint64_t kept, kept_bytes;                  // goes to Entry::kept_begin
  uint64_t process_block;                     // where the structure Process is
  uint64_t stack_limit, stack_begin;          // RLIMIT_STACK; how far down the main stack is mapped (0: not at all)
  // With kFlagShadow: what it has open, and what makes the rest of what the kernel knows of it.
  uint64_t descriptors, steps;  // RestoreDescriptor[], RestoreStep[]
  uint32_t descriptor_count, step_count;
  uint64_t timers;        // RestoreTimers
  uint8_t fd_emit[1024];  // FdFlag bits by descriptor: which mean the standard output or error
};
// A system call. Every open file of the group is made once, under a number that none of its processes uses; all of them inherit it, and
// each gives its own descriptors their true numbers. So what was shared is shared again.
enum RestoreOutcome : uint32_t {
  kStepMust = 0,      // 0 or more is returned
  kStepExactly = 1,   // `expected` is
  kStepMakes = 2,     // a descriptor is, which gets the number makes[0]
  kStepMakesTwo = 3,  // two are written to args[expected], which get the numbers makes[]
  kStepMay = 4,       // it may fail
  kStepPidfd = 5,     // kStepMakes, of a process that another one of the group is about to make
  kStepShould = 6,    // it may fail, and the user is told
};
struct RestoreStep {
  uint32_t nr, outcome;
  uint64_t args[6];
  uint32_t in_plan;  // bit n: args[n] is an offset in the plan
  int32_t makes[2];
  uint32_t cloexec;  // of what is made
  int64_t expected;
  uint64_t text;  // what could not be done, ends with a zero byte
};
// What a hot replica arms when it goes live (agent/src/timers.h): the layout is the agent's.
struct RestoreTimers {
  struct Interval {  // struct itimerval
    int64_t interval[2], value[2];
  } interval[3];
  struct Posix {
    int32_t used, id, clock, has_event, set, flags;
    uint8_t event[64];  // struct sigevent
    int64_t spec[4];    // struct itimerspec
  } posix[16];
};
struct RestoreDescriptor {
  int32_t fd, number;      // number: what it is a duplicate of
  uint32_t cloexec, pipe;  // pipe: both ends are in the group
};
enum RestoreKind : uint32_t {
  kRestoreAnonymous = 0,
  kRestoreBlob = 1,    // number: of the blob
  kRestoreShared = 2,  // scratch_dir/shared-<number>
};
struct RestoreRegion {
  uint64_t addr, len, number, offset;
  uint32_t prot, kind;
  uint32_t filled, pad;  // some RestoreCopy goes into it
};
struct RestoreCopy {
  uint64_t addr, len, file_offset;
  uint32_t file;  // kRestorePagesName and this number; ~0: zeros
  uint32_t pad;
};
struct RestoreBlock {
  uint64_t addr, bytes;  // bytes: offset of kThreadBytes
};
struct RestoreThread {
  uint32_t gtid;
  int32_t tid;  // with kFlagPidNamespace
  uint64_t block;
  uint64_t fs_base;
  uint64_t xsave, xsave_bytes;
};

struct Control {
  uint32_t magic, abi_version;
  uint32_t mode;     // Mode
  int32_t guest_fd;  // the memory file's descriptor in guest processes
  uint32_t map_count;
  uint32_t on_error;  // OnError: what the agent does when the ring is closed in record
  MapEntry maps[kMaxMaps];
  Entry entry;
  char blob_dir[kPathMax];  // replay: directory of the journal's blobs, absolute
  char shared_paths
      [kPathMax];  // hot replica: storage that only the primary may touch: absolute prefixes, each ended by a newline
  char scratch_dir[kPathMax];  // replay: private directory for shared mappings, absolute, removed by the host
  uint64_t until_seq;          // replay: stop after this event; 0 = none
  uint32_t quiet;              // replay: 1 = do not re-emit output to descriptors 1 and 2
  uint32_t kick_after_ms;      // record: see ThreadSlot::attention
  int32_t host_pid;
  uint32_t flags;  // ControlFlags

  alignas(64) Ring ring;
  Rpc rpc;

  // The baton. 0 = free, otherwise the holder's gtid; bit 31 = held across a syscall, may be stolen.
  alignas(64) uint32_t baton;
  uint32_t baton_waiters;
  alignas(64) uint32_t live_threads;  // of the group
  uint32_t last_gtid;                 // who made the last event (a change makes a SWITCH event)
  uint32_t next_gtid;                 // next number to give
  uint32_t next_process;
  uint64_t clock_last_ns[kClocks];  // CLOCK events are deltas to these
  uint32_t attention;               // futex word: number of slots that want attention; host sleeps here
  uint32_t outcome;                 // Outcome; futex word, woken on change
  int32_t exit_status;              // of the root process, wait4 encoding
  uint32_t opaque_reported[24];     // bit per syscall number: already reported as opaque
  Divergence divergence;
  ThreadSlot threads[kMaxThreads];
  ProcessSlot processes[kMaxProcesses];

  // The agent's own notes across an execve (the old image leaves them, the new one reads them). Not for the host.
  uint32_t exec_gtid, exec_process, exec_nr, exec_sum;
  uint64_t exec_mask;
  uint8_t exec_process_state[8192];  // replay: the agent's structure Process
  // Files that some member has mapped shared (record): writes to them are STORE events. Not for the host.
  uint32_t shared_file_count, shared_pad;
  struct {
    uint64_t dev, ino;
  } shared_files[64];

  Pair pair;

  // Replay from a checkpoint: 1 until the stub has seen it; then how many threads have been made again.
  uint32_t restore, restored, restore_lock;

  NextPid next_pid;
  char stub_path[kPathMax];  // replay with kFlagPidNamespace: the stub, as processes of the group find it; for execve

  // statistics
  uint64_t stat_sud_traps, stat_switches, stat_steals, stat_ring_waits, stat_preempts;
};
static_assert(sizeof(Control) <= kControlSize);

}  // namespace understudy::abi
