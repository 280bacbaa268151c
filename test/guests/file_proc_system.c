// /proc/meminfo, stat, uptime, loadavg, cpuinfo, sys files: values of the moment
#include "guest.h"
int main(void) {
  static const char* const paths[] = {"/proc/uptime",
                                      "/proc/loadavg",
                                      "/proc/meminfo",
                                      "/proc/stat",
                                      "/proc/version",
                                      "/proc/sys/kernel/pid_max",
                                      "/proc/sys/kernel/random/uuid",
                                      "/proc/sys/kernel/random/boot_id",
                                      "/sys/devices/system/cpu/online",
                                      "/proc/self/mountinfo"};
  for (int i = 0; i < 10; i++) {
    FILE* f = fopen(paths[i], "r");
    char line[300];
    if (!f) {
      say("%s: %s", paths[i], strerror(errno));
      continue;
    }
    for (int n = 0; n < 5 && fgets(line, sizeof line, f); n++) say("%s: %.200s", paths[i], line);
    fclose(f);
  }
}
