// dlopen of system libraries, symbols looked up and called, dlclose, an unknown library
#include "guest.h"
#include <dlfcn.h>
#include <link.h>
static int count(struct dl_phdr_info* info, size_t size, void* data) {
  (void)size;
  ++*(int*)data;
  say("%s at %lx", info->dlpi_name, (unsigned long)info->dlpi_addr);
  return 0;
}
int main(void) {
  void* math = dlopen("libm.so.6", RTLD_NOW);
  CHECK(math != NULL);
  double (*cosine)(double) = (double (*)(double))dlsym(math, "cos");
  CHECK(cosine && cosine(0.0) == 1.0);
  CHECK(dlopen("libno-such-library.so.9", RTLD_LAZY) == NULL);
  say("%s", dlerror());
  void* resolver = dlopen("libresolv.so.2", RTLD_LAZY | RTLD_LOCAL);
  int libraries = 0;
  dl_iterate_phdr(count, &libraries);
  Dl_info info;
  CHECK(dladdr((void*)cosine, &info) && info.dli_fname);
  if (resolver) CHECK(dlclose(resolver) == 0);
  CHECK(dlclose(math) == 0);
}
