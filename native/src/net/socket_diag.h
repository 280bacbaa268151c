// The kernel's list of TCP sockets (NETLINK_SOCK_DIAG) of this network namespace, and the end of those that nobody wants any more.
//
// Must not: end a listener, or a socket that is no connection.
#pragma once
#include <linux/inet_diag.h>

#include <functional>
#include <string>

#include "net/packet.h"

namespace understudy::host {

// The ends of a socket in the list; an address of family 0 is none.
Endpoint local_of(const inet_diag_msg& socket);
Endpoint remote_of(const inet_diag_msg& socket);

// Those of one address family, in states whose bits (1 << TCP_...) are set. Throws HostError NET.
void list_tcp_sockets(uint8_t family, uint32_t states, const std::function<void(const inet_diag_msg&)>& each);

// What a primary of this address leaves in the kernel when its guest is killed: connections that wait for the end of their output, under
// addresses and ports that the next replica on this host needs. They are ended without a word to the other end, whose connection goes on
// elsewhere; meanwhile nothing leaves from this address. Only where the service does not run. Returns their number. Throws HostError NET.
uint32_t end_stale_connections(const std::string& service, const Address& vip);

}  // namespace understudy::host
