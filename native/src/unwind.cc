// See unwind.h. The work is done in a module of its own (unwind_dwfl.cc), loaded here when the first stack is wanted: it needs
// libraries whose loading would be a good part of the start of every recording.
#include <dlfcn.h>

#include "unwind.h"

namespace understudy::host {
namespace {

using UnwindFunction = void (*)(pid_t, pid_t, const uint64_t*, const UnwindHelp&, std::vector<Frame>*);

// The module lies in the folder of the addon; unit tests, which are linked from the same library, are one below it.
UnwindFunction load(std::string* problem) {
  Dl_info self;
  if (dladdr(reinterpret_cast<void*>(&load), &self) == 0)
    return *problem = "where the addon lies is not known", nullptr;
  std::string folder = self.dli_fname;
  folder.resize(folder.rfind('/') == std::string::npos ? 0 : folder.rfind('/') + 1);
  for (const char* place : {"", "../"}) {
    void* module = dlopen((folder + place + "understudy-unwind.so").c_str(), RTLD_NOW | RTLD_LOCAL);
    if (module == nullptr) {
      if (problem->empty()) *problem = dlerror();
      continue;
    }
    if (void* function = dlsym(module, "understudy_unwind")) return reinterpret_cast<UnwindFunction>(function);
    return *problem = dlerror(), nullptr;
  }
  return nullptr;
}

}  // namespace

std::vector<Frame> unwind(pid_t pid, pid_t tid, const uint64_t regs[18], const UnwindHelp& help) {
  std::vector<Frame> frames;
  std::string problem;
  if (UnwindFunction function = load(&problem)) function(pid, tid, regs, help, &frames);
  else help.problem("no stack can be shown: " + problem);
  if (frames.empty()) frames.emplace_back().address = help.original_address(regs[15]);
  return frames;
}

}  // namespace understudy::host
