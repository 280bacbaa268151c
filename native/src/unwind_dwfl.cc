// The module behind unwind.h: stacks by elfutils' libdwfl. Built apart, see unwind.cc.
#include "unwind.h"

#include <elfutils/libdwfl.h>
#include <fcntl.h>
#include <string.h>
#include <sys/uio.h>

#include <memory>

namespace understudy::host {
namespace {

constexpr int kFramesMax = 128;
// DWARF numbers of the registers in Divergence::regs (r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi rip rsp eflags).
constexpr int kDwarfNumber[18] = {15, 14, 13, 12, 6, 3, 11, 10, 9, 8, 0, 2, 1, 4, 5, 16, 7, -1};
constexpr int kRip = 15;

struct Context {
  pid_t pid, tid;
  uint64_t regs[18];
  const UnwindHelp* help;
  std::vector<Frame> frames;
  bool thread_given = false;
};

bool read_memory(pid_t pid, uint64_t address, void* out, size_t len) {
  iovec local{out, len}, remote{reinterpret_cast<void*>(address), len};
  return process_vm_readv(pid, &local, 1, &remote, 1, 0) == ssize_t(len);
}

pid_t next_thread(Dwfl*, void* argument, void** thread_argument) {
  auto* context = static_cast<Context*>(argument);
  if (context->thread_given) return 0;
  context->thread_given = true;
  *thread_argument = context;
  return context->tid;
}

bool memory_read(Dwfl*, Dwarf_Addr address, Dwarf_Word* result, void* argument) {
  uint64_t word;
  if (!read_memory(static_cast<Context*>(argument)->pid, address, &word, sizeof word)) return false;
  *result = word;
  return true;
}

bool set_initial_registers(Dwfl_Thread* thread, void* argument) {
  const auto* context = static_cast<Context*>(argument);
  Dwarf_Word by_number[17] = {};
  for (int i = 0; i < 18; i++) {
    if (kDwarfNumber[i] >= 0) by_number[kDwarfNumber[i]] = context->regs[i];
  }
  return dwfl_thread_state_registers(thread, 0, 17, by_number);
}

const Dwfl_Thread_Callbacks kThreadCallbacks = {
    next_thread, nullptr, memory_read, set_initial_registers, nullptr, nullptr,
};

// dwfl asks for the file of a module by a function without an argument of one's own. Stacks are unwound one at a time, by the
// session's thread that saw the outcome.
thread_local const std::string* current_root = nullptr;

int find_elf(Dwfl_Module* module, void** user, const char* name, Dwarf_Addr base, char** file_name, Elf** elf) {
  if (current_root != nullptr && !current_root->empty() && name[0] == '/') {
    const int fd = open((*current_root + name).c_str(), O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
      *file_name = strdup(name);
      return fd;
    }
  }
  return dwfl_linux_proc_find_elf(module, user, name, base, file_name, elf);
}

Frame describe(Dwfl* dwfl, uint64_t pc, bool is_return_address, const UnwindHelp& help) {
  Frame frame;
  frame.address = help.original_address(pc);
  // A return address lies behind the call, which may be the last instruction of its function.
  const uint64_t look_up = frame.address - (is_return_address ? 1 : 0);
  Dwfl_Module* module = dwfl_addrmodule(dwfl, look_up);
  if (module == nullptr) return frame;
  const char* main_file = nullptr;
  const char* name = dwfl_module_info(module, nullptr, nullptr, nullptr, nullptr, nullptr, &main_file, nullptr);
  const std::string path = main_file != nullptr ? main_file : name != nullptr ? name : "";
  frame.module = help.module_name(path);
  if (frame.module.empty()) frame.module = path;
  Dwarf_Addr bias = 0;
  if (dwfl_module_getelf(module, &bias) != nullptr) frame.module_offset = frame.address - bias;
  GElf_Off offset = 0;
  GElf_Sym symbol;
  if (const char* symbol_name = dwfl_module_addrinfo(module, look_up, &offset, &symbol, nullptr, nullptr, nullptr)) {
    frame.symbol = symbol_name;
    frame.symbol_offset = offset + (frame.address - look_up);
  }
  if (Dwfl_Line* line = dwfl_module_getsrc(module, look_up)) {
    int number = 0;
    if (const char* source = dwfl_lineinfo(line, nullptr, &number, nullptr, nullptr, nullptr)) {
      frame.source = source;
      frame.line = number;
    }
  }
  return frame;
}

int on_frame(Dwfl_Frame* state, void* argument) {
  auto* context = static_cast<Context*>(argument);
  Dwarf_Addr pc = 0;
  bool is_activation = false;
  if (!dwfl_frame_pc(state, &pc, &is_activation)) return DWARF_CB_ABORT;
  Dwfl* dwfl = dwfl_thread_dwfl(dwfl_frame_thread(state));
  context->frames.push_back(describe(dwfl, pc, !is_activation && !context->frames.empty(), *context->help));
  return int(context->frames.size()) < kFramesMax ? DWARF_CB_OK : DWARF_CB_ABORT;
}

}  // namespace

extern "C" void understudy_unwind(pid_t pid, pid_t tid, const uint64_t* regs, const UnwindHelp& help,
                                  std::vector<Frame>* out) {
  static char* no_debuginfo_path = nullptr;  // the default: .debug beside the file, and the system's folder by build id
  static const Dwfl_Callbacks callbacks = {find_elf, dwfl_standard_find_debuginfo, nullptr, &no_debuginfo_path};
  current_root = &help.root;
  Context context{pid, tid, {}, &help, {}, false};
  memcpy(context.regs, regs, sizeof context.regs);
  // At a rewritten instruction the thread is in a trampoline, which has no unwind information; the place it stands for has.
  context.regs[kRip] = help.original_address(regs[kRip]);

  std::unique_ptr<Dwfl, decltype(&dwfl_end)> dwfl(dwfl_begin(&callbacks), dwfl_end);
  bool attached = dwfl != nullptr && dwfl_linux_proc_report(dwfl.get(), pid) == 0 &&
                  dwfl_report_end(dwfl.get(), nullptr, nullptr) == 0 &&
                  dwfl_attach_state(dwfl.get(), nullptr, pid, &kThreadCallbacks, &context);
  if (attached) dwfl_getthread_frames(dwfl.get(), tid, on_frame, &context);
  dwfl.reset();
  current_root = nullptr;
  *out = std::move(context.frames);
}

}  // namespace understudy::host
