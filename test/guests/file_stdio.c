// stdio: fopen, fprintf, fseek, fgets, ungetc, setvbuf, freopen, fmemopen, open_memstream, getline, fscanf
#include "guest.h"
int main(void) {
  scratch();
  FILE* f = fopen("f", "w+");
  CHECK(f != NULL);
  for (int i = 0; i < 1000; i++) fprintf(f, "line %d %d\n", i, i * i);
  CHECK(fflush(f) == 0 && fseek(f, 0, SEEK_SET) == 0);
  char* line = NULL;
  size_t size = 0;
  int n = 0, a, b;
  while (getline(&line, &size, f) > 0) CHECK(sscanf(line, "line %d %d", &a, &b) == 2 && a == n && b == n * n), n++;
  CHECK(n == 1000 && feof(f));
  rewind(f);
  CHECK(fscanf(f, "line %d", &a) == 1 && ungetc('x', f) == 'x' && fgetc(f) == 'x');
  say("at %ld", ftell(f));
  fclose(f);
  free(line);
  char* text;
  f = open_memstream(&text, &size);
  fprintf(f, "%s %5.2f %#x %p", "memory", 3.14159, 255, (void*)&main);
  fclose(f);
  say("%s", text);
  free(text);
  setvbuf(stdout, NULL, _IOFBF, 64);
  for (int i = 0; i < 20; i++) printf("fully buffered %d\n", i);
}
