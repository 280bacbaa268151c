// SSE, AVX and x87 state survives handlers that use them
#include "guest.h"
#include <sys/time.h>
static volatile sig_atomic_t count;
static volatile double sink;
static void handler(int signo) {
  (void)signo;
  count++;
  double x = 1.5;
  for (int i = 0; i < 20; i++) x = x * 1.0001 + (double)i;
  sink = x;
  if (__builtin_cpu_supports("avx"))
    __asm__ volatile("vpcmpeqd %%xmm1, %%xmm1, %%xmm1\n vxorps %%ymm2, %%ymm2, %%ymm2\n vzeroall" : : : "memory");
  else __asm__ volatile("pxor %%xmm1, %%xmm1" : : : "memory");
}
int main(void) {
  bool avx = __builtin_cpu_supports("avx");
  on_signal(SIGALRM, handler, 0);
  OK(setitimer(ITIMER_REAL, &(struct itimerval){{0, 4000}, {0, 4000}}, NULL));
  double in[4] = {1.25, -2.5, 3.75, 1e300}, out[4] = {0};
  while (count < 8) {
    if (avx)
      __asm__ volatile(
          "vmovupd %1, %%ymm1\n vmovapd %%ymm1, %%ymm2\n mov $20000, %%ecx\n1: dec %%ecx\n jnz 1b\n vmovupd %%ymm2, "
          "%0\n vzeroupper"
          : "=m"(out)
          : "m"(in)
          : "ecx", "cc", "xmm1", "xmm2");
    else
      __asm__ volatile(
          "movupd %2, %%xmm1\n movupd %3, %%xmm2\n mov $20000, %%ecx\n1: dec %%ecx\n jnz 1b\n movupd %%xmm1, %0\n "
          "movupd %%xmm2, %1"
          : "=m"(out[0]), "=m"(out[2])
          : "m"(in[0]), "m"(in[2])
          : "ecx", "cc", "xmm1", "xmm2", "memory");
    CHECK(memcmp(in, out, sizeof in) == 0);
    long double a = 3.0L, b;
    __asm__ volatile("fldt %1\n mov $20000, %%ecx\n1: dec %%ecx\n jnz 1b\n fstpt %0" : "=m"(b) : "m"(a) : "ecx", "cc");
    CHECK(a == b);
  }
  OK(setitimer(ITIMER_REAL, &(struct itimerval){0}, NULL));
  say("state kept over %d handlers, avx %d", (int)count, avx);
}
