// time and gettimeofday, by the vDSO, by raw call and with NULL arguments
#include "guest.h"
#include <sys/time.h>
int main(void) {
  time_t a = time(NULL), b;
  CHECK(time(&b) == b && b >= a);
  long c = syscall(SYS_time, NULL);
  struct timeval tv, raw;
  struct timezone zone;
  OK(gettimeofday(&tv, &zone));
  OK(gettimeofday(&raw, NULL));
  OK((int)syscall(SYS_gettimeofday, &raw, &zone));
  CHECK(c >= a && tv.tv_sec >= a && raw.tv_sec >= tv.tv_sec);
  say("%ld %ld %ld.%06ld %ld.%06ld west %d", (long)a, c, (long)tv.tv_sec, (long)tv.tv_usec, (long)raw.tv_sec,
      (long)raw.tv_usec, zone.tz_minuteswest);
  char text[64];
  struct tm local;
  CHECK(strftime(text, sizeof text, "%F %T %Z", localtime_r(&a, &local)) > 0);
  say("%s", text);
}
