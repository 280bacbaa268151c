// Watches, at a client's interface, which host speaks for an address: packets from it, and ARP that claims it.
//
//   bench-vip-witness INTERFACE ADDRESS
//
// Prints "ready", and at the end of standard input one JSON array with a record for each run of packets from the same hardware address:
// a takeover is two runs. A third one would be a host that speaks after another has begun to: what the fence must prevent.
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define RUNS_MAX 64

struct run {
  unsigned char from[6];
  unsigned long long first_ns, last_ns, packets;
};

static unsigned long long now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (unsigned long long)t.tv_sec * 1000000000ull + (unsigned long long)t.tv_nsec;
}

static int speaks_for(const unsigned char* frame, ssize_t len, uint32_t address) {
  uint16_t type;
  uint32_t source;
  if (len < 14 + 20) return 0;
  memcpy(&type, frame + 12, sizeof type);
  if (type == htons(ETHERTYPE_IP)) memcpy(&source, frame + 14 + 12, sizeof source);
  else if (type == htons(ETHERTYPE_ARP)) memcpy(&source, frame + 14 + 14, sizeof source);
  else return 0;
  return source == address;
}

int main(int argc, char** argv) {
  static struct run runs[RUNS_MAX];
  int count = 0, size = 16 << 20;
  uint32_t address;
  if (argc != 3 || inet_pton(AF_INET, argv[2], &address) != 1) {
    fprintf(stderr, "usage: bench-vip-witness INTERFACE ADDRESS\n");
    return 2;
  }
  int tap = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));
  struct sockaddr_ll at = {
      .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = (int)if_nametoindex(argv[1])};
  setsockopt(tap, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
  if (tap < 0 || bind(tap, (struct sockaddr*)&at, sizeof at) != 0) {
    perror(argv[1]);
    return 2;
  }
  printf("ready\n");
  fflush(stdout);
  for (;;) {
    struct pollfd fds[2] = {{tap, POLLIN, 0}, {0, POLLIN, 0}};
    if (poll(fds, 2, -1) < 0 && errno != EINTR) return 2;
    for (;;) {
      unsigned char frame[64];
      struct sockaddr_ll from;
      socklen_t len = sizeof from;
      ssize_t n = recvfrom(tap, frame, sizeof frame, MSG_DONTWAIT, (struct sockaddr*)&from, &len);
      if (n < 0) break;
      if (from.sll_pkttype == PACKET_OUTGOING || !speaks_for(frame, n, address)) continue;
      struct run* r = &runs[count > 0 ? count - 1 : 0];
      if (count == 0 || (memcmp(r->from, frame + 6, 6) != 0 && count < RUNS_MAX)) {
        r = &runs[count++];
        memcpy(r->from, frame + 6, 6);
        r->first_ns = now_ns();
      }
      r->last_ns = now_ns();
      r->packets++;
    }
    char unused[64];
    if (fds[1].revents && read(0, unused, sizeof unused) <= 0) break;
  }
  struct tpacket_stats lost;
  socklen_t len = sizeof lost;
  if (getsockopt(tap, SOL_PACKET, PACKET_STATISTICS, &lost, &len) == 0 && lost.tp_drops > 0) {
    fprintf(stderr, "bench-vip-witness: %u packets were not seen\n", lost.tp_drops);
    return 1;
  }
  printf("[");
  for (int i = 0; i < count; i++) {
    const unsigned char* m = runs[i].from;
    printf("%s{\"from\":\"%02x:%02x:%02x:%02x:%02x:%02x\",\"firstNs\":%llu,\"lastNs\":%llu,\"packets\":%llu}",
           i ? "," : "", m[0], m[1], m[2], m[3], m[4], m[5], runs[i].first_ns, runs[i].last_ns, runs[i].packets);
  }
  printf("]\n");
  return 0;
}
