// A check that goes on after a failure, and says with values what it found: for tests of many cases.
#pragma once
#include <stdio.h>

inline int failures = 0;

#define EXPECT(condition, ...)                                          \
  do {                                                                  \
    if (!(condition)) {                                                 \
      if (failures++ < 20) {                                            \
        fprintf(stderr, "%s:%d: %s: ", __FILE__, __LINE__, #condition); \
        fprintf(stderr, __VA_ARGS__);                                   \
        fputc('\n', stderr);                                            \
      }                                                                 \
    }                                                                   \
  } while (0)
