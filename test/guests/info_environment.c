// getenv, setenv, putenv, unsetenv, clearenv
#include "guest.h"
extern char** environ;
int main(void) {
  int count = 0;
  while (environ[count]) count++;
  OK(setenv("GUEST_VARIABLE", "one", 1));
  OK(setenv("GUEST_VARIABLE", "two", 0));
  CHECK(strcmp(getenv("GUEST_VARIABLE"), "one") == 0);
  static char text[] = "GUEST_PUT=three";
  OK(putenv(text));
  text[10] = 'T';
  CHECK(strcmp(getenv("GUEST_PUT"), "Three") == 0);
  OK(unsetenv("GUEST_VARIABLE"));
  CHECK(getenv("GUEST_VARIABLE") == NULL);
  for (int i = 0; environ[i]; i++) say("%.200s", environ[i]);
  OK(clearenv());
  CHECK(environ == NULL || environ[0] == NULL);
  say("%d variables at first", count);
}
