// Standard input through stdio: fgets, scanf, getchar
// stdin: 12 34 words here\nrest of it\nlast
#include "guest.h"
int main(void) {
  int a, b;
  char word[32], line[64];
  CHECK(scanf("%d %d %31s", &a, &b, word) == 3 && a + b == 46);
  CHECK(fgets(line, sizeof line, stdin) && fgets(line, sizeof line, stdin));
  say("%s and %s", word, line);
  int n = 0;
  while (getchar() != EOF) n++;
  CHECK(n == 4);
}
