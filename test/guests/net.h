// Loopback sockets for guest programs: ports are always chosen by the kernel.
#pragma once
#include "guest.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

__attribute__((unused)) static struct sockaddr_in loopback(int port) {
  return (struct sockaddr_in){
      .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
}

__attribute__((unused)) static int local_port(int s) {
  struct sockaddr_in address;
  socklen_t length = sizeof address;
  OK(getsockname(s, (struct sockaddr*)&address, &length));
  return ntohs(address.sin_port);
}

__attribute__((unused)) static int tcp_listen(int* port) {
  int s = OK(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  struct sockaddr_in address = loopback(0);
  OK(bind(s, (struct sockaddr*)&address, sizeof address));
  OK(listen(s, 16));
  *port = local_port(s);
  return s;
}

__attribute__((unused)) static int tcp_connect(int port) {
  int s = OK(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  struct sockaddr_in address = loopback(port);
  OK(connect(s, (struct sockaddr*)&address, sizeof address));
  return s;
}

__attribute__((unused)) static void read_all(int s, void* into, size_t size) {
  for (size_t done = 0; done < size;) {
    ssize_t n = read(s, (char*)into + done, size - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) guest_failed(__FILE__, __LINE__, "read_all");
    done += (size_t)n;
  }
}
