// getifaddrs over netlink, if_nametoindex, SIOCGIFCONF, SIOCGIFFLAGS on the loopback
#include "guest.h"
#include "net.h"
#include <ifaddrs.h>
#include <net/if.h>
#include <sys/ioctl.h>
int main(void) {
  struct ifaddrs* list;
  OK(getifaddrs(&list));
  for (struct ifaddrs* i = list; i; i = i->ifa_next)
    say("%s flags %#x family %d", i->ifa_name, i->ifa_flags, i->ifa_addr ? i->ifa_addr->sa_family : -1);
  freeifaddrs(list);
  int s = OK(socket(AF_INET, SOCK_DGRAM, 0));
  struct ifreq requests[16];
  struct ifconf conf = {.ifc_len = sizeof requests, .ifc_req = requests};
  OK(ioctl(s, SIOCGIFCONF, &conf));
  for (int i = 0; i < conf.ifc_len / (int)sizeof *requests; i++)
    say("%s %s", requests[i].ifr_name, inet_ntoa(((struct sockaddr_in*)&requests[i].ifr_addr)->sin_addr));
  struct ifreq lo = {.ifr_name = "lo"};
  OK(ioctl(s, SIOCGIFFLAGS, &lo));
  CHECK(lo.ifr_flags & IFF_LOOPBACK);
  say("loopback has index %u", if_nametoindex("lo"));
}
