// The auxiliary vector: page size, pid's own exec name, random bytes, entry, and its agreement with /proc/self/auxv
#include "guest.h"
#include <elf.h>
#include <sys/auxv.h>
int main(void) {
  CHECK(getauxval(AT_PAGESZ) == 4096 && getauxval(AT_UID) == getuid() && getauxval(AT_ENTRY) != 0);
  const unsigned char* random = (const unsigned char*)getauxval(AT_RANDOM);
  say("random %02x%02x%02x%02x, platform %s", random[0], random[1], random[2], random[15],
      (char*)getauxval(AT_PLATFORM));
  say("hwcap %lx, hwcap2 %lx, minsigstksz %lu, clktck %lu", getauxval(AT_HWCAP), getauxval(AT_HWCAP2),
      getauxval(AT_MINSIGSTKSZ), getauxval(AT_CLKTCK));
  Elf64_auxv_t entries[64];
  int fd = OK(open("/proc/self/auxv", O_RDONLY));
  ssize_t n = OK(read(fd, entries, sizeof entries));
  for (size_t i = 0; i < (size_t)n / sizeof *entries; i++)
    say("%lu = %lx", (unsigned long)entries[i].a_type, (unsigned long)entries[i].a_un.a_val);
  CHECK(strstr((char*)getauxval(AT_EXECFN), "exec_auxv") != NULL);
}
