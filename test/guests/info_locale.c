// setlocale, localeconv, wide characters, iconv, collation
#include "guest.h"
#include <iconv.h>
#include <langinfo.h>
#include <locale.h>
#include <wchar.h>
int main(void) {
  const char* locale = setlocale(LC_ALL, "");
  say("locale %s, codeset %s, point %s", locale ? locale : "none", nl_langinfo(CODESET), localeconv()->decimal_point);
  locale = setlocale(LC_CTYPE, "C.UTF-8");
  if (locale) {
    wchar_t wide[16];
    CHECK(mbstowcs(wide, "gr\xc3\xbc\xc3\x9f", 16) == 4 && wide[3] == 0xdf);
  }
  iconv_t converter = iconv_open("UTF-16LE", "UTF-8");
  if (converter == (iconv_t)-1) UNAVAILABLE("iconv");
  char in[] = "abc", out[16], *from = in, *to = out;
  size_t left = 3, room = 16;
  CHECK(iconv(converter, &from, &left, &to, &room) == 0 && room == 10);
  iconv_close(converter);
}
