// A guest for shadow_test: changes its memory in every way that there is, knows what has to be in each page, and looks. Its result, in $OUT,
// is always the same; a replica that was made of a checkpoint with a page too few, too many or too old says which page, or comes
// to another result.
//
// usage: shadow_memory [STEPS] [SEED] [KINDS]    KINDS: bits of the changes to make, to find the one that goes wrong
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096u
#define WORDS (PAGE / 8)
enum { kRegions = 12, kPagesMax = 96, kHugePages = 1024, kStackPages = 24 };

// What a page holds follows from its generation; 0: nothing but zeros. Half of the words only, so that zeros are part of it.
struct region {
  uint64_t* at;
  uint32_t pages;
  int file;    // of a shared mapping, -1
  int pieces;  // it may be several mappings
  uint64_t generation[kHugePages];
};
struct world {
  struct region regions[kRegions];
  struct region heap, huge;
  uint64_t random, next_generation, steps;
  int pipe[2], pair[2];
};

static uint32_t kinds = ~0u;
enum { kWithMemoryFiles = 24, kWithThreads = 25 };
static int out = -1;
static off_t out_at;
static void say(const char* text) {
  fputs(text, stderr);
  if (pwrite(out, text, strlen(text), out_at) != (ssize_t)strlen(text)) _exit(3);
  out_at += (off_t)strlen(text);
}
static void die(const char* what) {
  char text[200];
  snprintf(text, sizeof text, "%s: %s\n", what, strerror(errno));
  say(text);
  _exit(2);
}

static uint64_t next_random(struct world* w) {
  w->random ^= w->random << 13;
  w->random ^= w->random >> 7;
  w->random ^= w->random << 17;
  return w->random;
}
static uint64_t word_of(uint64_t generation, uint32_t i) {
  return generation == 0 || i % 2 != 0 ? 0 : (generation * 0x9e3779b97f4a7c15) ^ (i * 0xc2b2ae3d27d4eb4full);
}
static void fill(uint64_t* page, uint64_t generation) {
  for (uint32_t i = 0; i < WORDS; i++) page[i] = word_of(generation, i);
}
static int wrong_words(const uint64_t* page, uint64_t generation) {
  int wrong = 0;
  for (uint32_t i = 0; i < WORDS; i++) wrong += page[i] != word_of(generation, i);
  return wrong;
}
static void check(struct world* w, struct region* r, const char* name) {
  for (uint32_t p = 0; p < r->pages; p++) {
    const int wrong = wrong_words(r->at + p * WORDS, r->generation[p]);
    if (wrong == 0) continue;
    uint64_t is = 0;
    // Which generation is there instead, if it is one.
    for (uint64_t g = 1; g <= w->next_generation; g++)
      if (wrong_words(r->at + p * WORDS, g) == 0) is = g;
    char text[300];
    snprintf(text, sizeof text, "WRONG after %lu steps: %s, page %u of %u at %p: %d words, should be %lu, is %lu\n",
             (unsigned long)w->steps, name, p, r->pages, (void*)(r->at + p * WORDS), wrong,
             (unsigned long)r->generation[p], (unsigned long)is);
    say(text);
    _exit(4);
  }
}
static void check_all(struct world* w) {
  for (int i = 0; i < kRegions; i++) {
    char name[32];
    snprintf(name, sizeof name, "region %d%s", i, w->regions[i].file >= 0 ? " (shared)" : "");
    check(w, &w->regions[i], name);
  }
  check(w, &w->heap, "heap");
  check(w, &w->huge, "huge");
}

// Fresh pages that the kernel writes to first.
static void kernel_writes(struct world* w, struct region* r, uint32_t page, int how) {
  static __thread uint64_t bytes[WORDS];
  const uint64_t g = ++w->next_generation;
  fill(bytes, g);
  void* to = r->at + page * WORDS;
  if (how == 0) {
    if (write(w->pipe[1], bytes, PAGE) != PAGE || read(w->pipe[0], to, PAGE) != PAGE) die("pipe");
  } else {
    struct iovec parts[2] = {{to, 1000}, {(char*)to + 1000, PAGE - 1000}};
    struct msghdr m = {.msg_iov = parts, .msg_iovlen = 2};
    if (send(w->pair[1], bytes, PAGE, 0) != PAGE || recvmsg(w->pair[0], &m, 0) != PAGE) die("socket");
  }
  r->generation[page] = g;
}
static void write_page(struct world* w, struct region* r, uint32_t page) {
  const uint64_t g = ++w->next_generation;
  fill(r->at + page * WORDS, g);
  r->generation[page] = g;
}

static int child(struct world* w) {
  check_all(w);
  for (int n = 0; n < 40; n++) {
    struct region* r = &w->regions[next_random(w) % kRegions];
    if (r->file < 0) write_page(w, r, (uint32_t)(next_random(w) % r->pages));
  }
  usleep(2000);
  check_all(w);
  return 10 + (int)(w->next_generation % 80);
}
// A child that lives while its parent goes on: what both had is copied as one of them writes.
static void fork_one(struct world* w, struct region* r) {
  int ready[2];
  if (pipe(ready) != 0) die("pipe");
  const pid_t pid = fork();
  if (pid < 0) die("fork");
  if (pid == 0) {
    const uint64_t g = w->next_generation + 7;
    static uint64_t bytes[WORDS];
    fill(bytes, g);
    // Into the parent's memory, from outside of it.
    if (r->file < 0) {
      struct iovec local = {bytes, PAGE}, remote = {r->at, PAGE};
      if (process_vm_writev(getppid(), &local, 1, &remote, 1, 0) != (ssize_t)PAGE) _exit(98);
    }
    if (write(ready[1], "x", 1) != 1) _exit(99);
    _exit(child(w));
  }
  char c;
  close(ready[1]);
  if (read(ready[0], &c, 1) != 1) die("the child");
  close(ready[0]);
  if (r->file < 0) {
    w->next_generation += 7;
    r->generation[0] = w->next_generation;
  }
  for (int n = 0; n < 30; n++) {
    struct region* other = &w->regions[next_random(w) % kRegions];
    if (other->file < 0) write_page(w, other, (uint32_t)(next_random(w) % other->pages));
  }
  int status;
  if (waitpid(pid, &status, 0) != pid) die("wait");
  if (!WIFEXITED(status) || WEXITSTATUS(status) >= 98 || WEXITSTATUS(status) == 4) {
    char text[64];
    snprintf(text, sizeof text, "WRONG: the child ended with %x\n", (unsigned)status);
    say(text);
    _exit(5);
  }
}

// Somewhere else, as one mapping: several do not move together.
static void copy_elsewhere(struct region* r, uint32_t pages) {
  uint64_t* to = mmap(NULL, (size_t)pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (to == MAP_FAILED) die("mmap");
  memcpy(to, r->at, (size_t)(pages < r->pages ? pages : r->pages) * PAGE);
  if (munmap(r->at, (size_t)r->pages * PAGE) != 0) die("munmap");
  r->at = to;
  r->pieces = 0;
}
static void resize(struct world* w, struct region* r) {
  const uint32_t pages = 1 + (uint32_t)(next_random(w) % kPagesMax);
  if (r->file >= 0 && ftruncate(r->file, (off_t)kPagesMax * PAGE) != 0) die("ftruncate");
  void* to = mremap(r->at, (size_t)r->pages * PAGE, (size_t)pages * PAGE, MREMAP_MAYMOVE);
  if (to != MAP_FAILED) r->at = to;
  else if (errno == EFAULT && r->file < 0) copy_elsewhere(r, pages);
  else die("mremap");
  // What a memory file has behind the mapping stays there.
  for (uint32_t p = r->pages; p < pages && r->file < 0; p++) r->generation[p] = 0;
  r->pages = pages;
}
// Anonymous regions next to each other, which the kernel makes one mapping of. What is several mappings, of which some are followed for a
// checkpoint, it does not move (docs/LIMITATIONS.md).
static void move_next_to(struct world* w, struct region* r, struct region* other) {
  w->steps++;
  if (r->file >= 0 || other->file >= 0 || r == other) return;
  char* behind = (char*)other->at + (size_t)other->pages * PAGE;
  char* free_place = mmap(behind, (size_t)r->pages * PAGE, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  if (free_place == MAP_FAILED) return;
  const size_t bytes = (size_t)r->pages * PAGE;
  if (r->pieces) copy_elsewhere(r, r->pages);
  if (mremap(r->at, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, behind) != behind) die("mremap to a place");
  r->at = (uint64_t*)behind;
}
static void map_over(struct world* w, struct region* r) {
  if (r->file >= 0) return;
  const uint32_t from = (uint32_t)(next_random(w) % r->pages), n = 1 + (uint32_t)(next_random(w) % (r->pages - from));
  if (mmap(r->at + from * WORDS, (size_t)n * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
           0) == MAP_FAILED)
    die("mmap over it");
  r->pieces = 1;
  memset(&r->generation[from], 0, n * sizeof r->generation[0]);
}
static void discard(struct world* w, struct region* r) {
  const uint32_t from = (uint32_t)(next_random(w) % r->pages), n = 1 + (uint32_t)(next_random(w) % (r->pages - from));
  if (madvise(r->at + from * WORDS, (size_t)n * PAGE, r->file >= 0 ? MADV_REMOVE : MADV_DONTNEED) != 0) die("madvise");
  memset(&r->generation[from], 0, n * sizeof r->generation[0]);
}
static void protect(struct world* w, struct region* r) {
  const uint32_t page = (uint32_t)(next_random(w) % r->pages);
  void* at = r->at + page * WORDS;
  if (mprotect(at, PAGE, PROT_NONE) != 0) die("mprotect");
  sched_yield();
  if (mprotect(at, PAGE, PROT_READ | PROT_WRITE) != 0) die("mprotect");
}
static void heap(struct world* w) {
  const uint32_t pages = 1 + (uint32_t)(next_random(w) % kPagesMax);
  struct region* h = &w->heap;
  if (syscall(SYS_brk, h->at + pages * WORDS) != (long)(h->at + pages * WORDS)) die("brk");
  for (uint32_t p = h->pages; p < pages; p++) h->generation[p] = 0;
  h->pages = pages;
}
static void huge(struct world* w) {
  struct region* h = &w->huge;
  const uint32_t kind = (uint32_t)(next_random(w) % 8);
  if (kind == 0) {
    if (madvise(h->at, (size_t)h->pages * PAGE, MADV_DONTNEED) != 0) die("madvise");
    memset(h->generation, 0, sizeof h->generation);
  } else if (kind == 1) {
    const uint32_t from = (uint32_t)(next_random(w) % (kHugePages - 300));
    if (madvise(h->at + from * WORDS, 300 * PAGE, MADV_DONTNEED) != 0) die("madvise");
    memset(&h->generation[from], 0, 300 * sizeof h->generation[0]);
  } else {
    for (int n = 0; n < 20; n++) write_page(w, h, (uint32_t)(next_random(w) % kHugePages));
  }
}
// A stack that grows and is looked at when it is left.
static void __attribute__((noinline)) deep(struct world* w, int depth) {
  volatile uint64_t page[WORDS];
  const uint64_t g = w->next_generation + (uint64_t)depth;
  for (uint32_t i = 0; i < WORDS; i++) page[i] = word_of(g, i);
  if (depth > 0) deep(w, depth - 1);
  else usleep(300);
  for (uint32_t i = 0; i < WORDS; i++)
    if (page[i] != word_of(g, i)) {
      say("WRONG: the stack\n");
      _exit(6);
    }
}

static void step(struct world* w) {
  struct region* r = &w->regions[next_random(w) % kRegions];
  const uint32_t page = (uint32_t)(next_random(w) % r->pages);
  w->steps++;
  const uint32_t kind = (uint32_t)(next_random(w) % 24);
  if ((kinds >> kind & 1) == 0) return;
  switch (kind) {
    case 0:
    case 1: resize(w, r); break;
    case 2:
    case 3: move_next_to(w, r, &w->regions[next_random(w) % kRegions]); break;
    case 4:
    case 5: map_over(w, r); break;
    case 6:
    case 7: discard(w, r); break;
    case 8: protect(w, r); break;
    case 9:
    case 10: kernel_writes(w, r, page, 0); break;
    case 11:
    case 12: kernel_writes(w, r, page, 1); break;
    case 13: heap(w); break;
    case 14: write_page(w, &w->heap, (uint32_t)(next_random(w) % w->heap.pages)); break;
    case 15: huge(w); break;
    case 16:
      if (w->steps % 5 == 0) fork_one(w, r);
      break;
    case 17: deep(w, (int)(next_random(w) % kStackPages)); break;
    case 18: check(w, r, "a region"); break;
    default:
      for (int n = 0; n < 4; n++) write_page(w, r, (uint32_t)(next_random(w) % r->pages));
  }
}

// Other threads do the same, each with a world of its own but for the heap.
static volatile int over;
static void* other(void* argument) {
  struct world* w = argument;
  while (!over && (kinds >> kWithThreads & 1) != 0) {
    struct region* r = &w->regions[next_random(w) % kRegions];
    const uint32_t page = (uint32_t)(next_random(w) % r->pages);
    w->steps++;
    switch (next_random(w) % 8) {
      case 0: resize(w, r); break;
      case 1: map_over(w, r); break;
      case 2: discard(w, r); break;
      case 3: kernel_writes(w, r, page, 0); break;
      case 4: kernel_writes(w, r, page, 1); break;
      case 5: deep(w, 3); break;
      default: write_page(w, r, page);
    }
    check(w, r, "a thread's region");
    usleep(100);
  }
  for (int i = 0; i < kRegions; i++) check(w, &w->regions[i], "a thread's region");
  return NULL;
}

static struct world* new_world(uint64_t seed) {
  struct world* w = mmap(NULL, sizeof *w, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (w == MAP_FAILED) die("mmap");
  w->random = seed * 0x9e3779b97f4a7c15 + 1;
  if (pipe(w->pipe) != 0 || socketpair(AF_UNIX, SOCK_SEQPACKET, 0, w->pair) != 0) die("pipe");
  for (int i = 0; i < kRegions; i++) {
    struct region* r = &w->regions[i];
    r->file = i % 6 == 5 && (kinds >> kWithMemoryFiles & 1) != 0 ? memfd_create("shared", 0) : -1;
    r->pages = 1 + (uint32_t)(next_random(w) % kPagesMax);
    if (r->file >= 0 && ftruncate(r->file, (off_t)kPagesMax * PAGE) != 0) die("memfd");
    r->at = mmap(NULL, (size_t)r->pages * PAGE, PROT_READ | PROT_WRITE,
                 r->file >= 0 ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS, r->file, 0);
    if (r->at == MAP_FAILED) die("mmap");
  }
  return w;
}

int main(int argc, char** argv) {
  const uint64_t steps = argc > 1 ? strtoull(argv[1], NULL, 0) : 3000, seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
  if (argc > 3) kinds = (uint32_t)strtoul(argv[3], NULL, 0);
  out = open(getenv("OUT") != NULL ? getenv("OUT") : "/dev/null", O_WRONLY | O_CREAT, 0600);
  if (out < 0) return 2;
  struct world *w = new_world(seed), *threads[2] = {new_world(seed + 1000), new_world(seed + 2000)};
  const size_t huge_bytes = (size_t)kHugePages * PAGE;
  char* place = mmap(NULL, huge_bytes * 2, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (place == MAP_FAILED) die("mmap");
  w->huge.at = (uint64_t*)(((uintptr_t)place + (2u << 20) - 1) & ~(uintptr_t)((2u << 20) - 1));
  w->huge.pages = kHugePages;
  w->huge.file = w->heap.file = -1;
  madvise(w->huge.at, huge_bytes, MADV_HUGEPAGE);
  pthread_t others[2];
  for (int i = 0; i < 2; i++)
    if (pthread_create(&others[i], NULL, other, threads[i]) != 0) die("a thread");
  // Whole pages behind whatever the C library has, which asks for no more.
  w->heap.at = (uint64_t*)(((uintptr_t)syscall(SYS_brk, 0) + PAGE - 1) & ~(uintptr_t)(PAGE - 1));
  w->heap.pages = 1;
  if (syscall(SYS_brk, w->heap.at + WORDS) != (long)(w->heap.at + WORDS)) die("brk");
  for (uint64_t i = 0; i < steps; i++) {
    step(w);
    if (i % 50 == 49) {
      check_all(w);
      char text[80];
      snprintf(text, sizeof text, "%lu steps, generation %lu\n", (unsigned long)i + 1,
               (unsigned long)w->next_generation);
      say(text);
    }
    if (i % 16 == 0) usleep(1000);
  }
  over = 1;
  for (int i = 0; i < 2; i++) pthread_join(others[i], NULL);
  check_all(w);
  say("end\n");
  return 7;
}
