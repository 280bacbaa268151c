// /proc/self/maps is read whole: it shows stack, heap and the program; line count and text are printed
#include "guest.h"
int main(void) {
  FILE* maps = fopen("/proc/self/maps", "r");
  CHECK(maps != NULL);
  char line[512];
  int stack = 0, lines = 0;
  while (fgets(line, sizeof line, maps)) {
    line[strcspn(line, "\n")] = 0;
    say("%s", line);
    stack += strstr(line, "[stack]") != NULL;
    lines++;
  }
  CHECK(stack == 1 && lines > 3);
  fclose(maps);
}
