// getpwnam, getpwuid, getgrnam, getgrouplist, getlogin, cuserid of this system's database
#include "guest.h"
#include <grp.h>
#include <pwd.h>
int main(void) {
  struct passwd* root = getpwnam("root");
  CHECK(root && root->pw_uid == 0);
  say("root lives in %s with %s", root->pw_dir, root->pw_shell);
  struct passwd* me = getpwuid(getuid());
  say("I am %s", me ? me->pw_name : "unknown");
  CHECK(getpwnam("no-such-user-here") == NULL);
  struct group* group = getgrgid(0);
  say("group 0 is %s", group ? group->gr_name : "unknown");
  int users = 0;
  setpwent();
  while (getpwent()) users++;
  endpwent();
  char* login = getlogin();
  say("%d users, login %s", users, login ? login : "none");
}
