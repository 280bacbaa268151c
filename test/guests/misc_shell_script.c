// A shell with pipelines, background jobs, wait, command substitution, here-documents and traps
#include "guest.h"
int main(void) {
  static const char script
      [] = "trap 'echo trapped' USR1\n"
           "for i in 1 2 3; do echo $i & done; wait\n"
           "kill -USR1 $$\n"
           "x=$(printf 'a\\nb\\nc\\n' | grep -c .)\n"
           "cat <<END\nlines: $x\nEND\n"
           "(exit 3) || echo status $?\n"
           "echo $$ $(date +%s%N)\n";
  int status = system(script);
  CHECK(status == 0);
}
