// Bytes that look like a syscall inside an immediate operand and in data stay as they are
#include "guest.h"
int main(void) {
  static const unsigned char table[] = {0x0f, 0x05, 0xb8, 0x27, 0, 0, 0, 0x0f, 0x05, 0xc3};
  unsigned long value;
  __asm__ volatile("movabs $0x050f050f050f050f, %0" : "=r"(value));
  CHECK(value == 0x050f050f050f050f);
  __asm__ volatile("mov $0x0000050f, %k0\n add $0x310f050f, %k0" : "=r"(value));
  CHECK((unsigned)value == 0x050fu + 0x310f050fu);
  unsigned sum = 0;
  for (size_t i = 0; i < sizeof table; i++) sum = sum * 257 + table[i];
  const unsigned char* text = (const unsigned char*)(uintptr_t)&main;
  say("sum %u, first byte of main %02x", sum, text[0]);
}
