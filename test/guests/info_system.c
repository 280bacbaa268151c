// uname, sysinfo, gethostname, sysconf, getcpu, getpagesize, get_nprocs, getloadavg
#include "guest.h"
#include <sys/sysinfo.h>
#include <sys/utsname.h>
int main(void) {
  struct utsname u;
  OK(uname(&u));
  say("%s %s %s %s %s", u.sysname, u.nodename, u.release, u.version, u.machine);
  struct sysinfo info;
  OK(sysinfo(&info));
  say("up %ld, free %lu, procs %d, load %lu", info.uptime, info.freeram, info.procs, info.loads[0]);
  char host[256];
  OK(gethostname(host, sizeof host));
  CHECK(strcmp(host, u.nodename) == 0);
  unsigned cpu, node;
  OK(getcpu(&cpu, &node));
  OK((int)syscall(SYS_getcpu, &cpu, NULL, NULL));
  double load[3];
  say("cpu %u of %d, pages %ld, open max %ld, load %d", cpu, get_nprocs(), sysconf(_SC_AVPHYS_PAGES),
      sysconf(_SC_OPEN_MAX), getloadavg(load, 3));
}
