// See rules.h.
#include "net/rules.h"

#include <sstream>

#include "common.h"
#include "net/command.h"

namespace understudy::host {
namespace {
constexpr uint32_t kBeginMs = 1000;  // longer than it takes to put up a gate

// Chain names have at most 28 characters, and services may differ in the ones that do not fit.
std::string short_name(const std::string& service) {
  std::string out;
  for (const char c : service) {
    if (out.size() == 10) break;
    out += isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
  }
  const uint32_t sum = crc32c(0, service.data(), service.size());
  const uint8_t bytes[4] = {uint8_t(sum >> 24), uint8_t(sum >> 16), uint8_t(sum >> 8), uint8_t(sum)};
  return out + "-" + hex(bytes, 4);
}
std::string nft_name(const std::string& prefix, const std::string& service) {
  std::string name = prefix + short_name(service);
  for (char& c : name) {
    if (c == '-') c = '_';
  }
  return name;
}
// Names of services come from a configuration file that has been checked; quotes and line ends would still end the comment.
std::string comment_of(const std::string& service) {
  std::string out = "understudy:";
  for (const char c : service) out += c == '"' || c == '\\' || c == '\n' ? '_' : c;
  return out;
}

const char* iptables_of(uint8_t family) { return family == AF_INET ? "iptables" : "ip6tables"; }

void remove_from(uint8_t family, const std::string& service) {
  const std::string program = iptables_of(family);
  const std::string saved = run_command_or_throw({program + "-save", "-t", "mangle"}, "",
                                                 "list the rules of table mangle");
  const std::string in = chain_in(service), out = chain_out(service), comment = comment_of(service);
  std::string input, chains;
  std::istringstream lines(saved);
  for (std::string line; std::getline(lines, line);) {
    for (const std::string& chain : {in, out, chain_forward(service)}) {
      // Emptied before any is deleted: they refer to each other.
      if (!line.starts_with(":" + chain + " ")) continue;
      input.insert(0, "-F " + chain + "\n");
      chains.append("-X ").append(chain).append("\n");
    }
    const bool ours = line.find(comment + " ") != std::string::npos || line.find(comment + "\"") != std::string::npos;
    if (line.starts_with("-A ") && ours && (line.ends_with("-j " + in) || line.ends_with("-j " + out)))
      input += "-D" + line.substr(2) + "\n";
  }
  input += chains;
  if (input.empty()) return;
  run_command_or_throw({program + "-restore", "-w", "5", "--noflush"}, "*mangle\n" + input + "COMMIT\n",
                       "remove the gate's rules of service " + service);
}

void nft(const std::string& commands, const std::string& purpose) {
  run_command_or_throw({"nft", "-f", "-"}, commands, purpose);
}

// "add" before "delete" makes deletion of what is not there a success, on kernels and programs that know no "destroy".
std::string without_table(const std::string& family, const std::string& name) {
  return "add table " + family + " " + name + "\ndelete table " + family + " " + name + "\n";
}

}  // namespace

std::string standby_table(const std::string& service) { return nft_name("understudy_standby_", service); }
std::string chain_in(const std::string& service) { return "US-IN-" + short_name(service); }
std::string chain_forward(const std::string& service) { return "US-FWD-" + short_name(service); }
std::string chain_out(const std::string& service) { return "US-OUT-" + short_name(service); }
std::string fence_table(const std::string& service) { return nft_name("understudy_", service); }
std::string lifeline_table(const std::string& service) { return nft_name("understudy_alive_", service); }
std::string forward_table(const std::string& service) { return nft_name("understudy_forward_", service); }

namespace {
// Behind the queue's rules: what has not the gate's mark has come while nobody was at the queue, and goes to the backup, not in.
void install_way_on(const GateConfig& config) {
  const std::string table = forward_table(config.service), vip = config.vip.text();
  const std::string ip = config.vip.family == AF_INET ? "ip" : "ip6";
  std::string ports;
  for (const uint16_t port : config.tcp_ports) ports += (ports.empty() ? "" : ", ") + std::to_string(port);
  const std::string match = "    " + ip + " daddr " + vip + " meta l4proto tcp " +
                            (config.outward || ports.empty() ? "" : "tcp dport { " + ports + " } ");
  nft(without_table(ip, table) + "table " + ip + " " + table +
          " {\n  chain in {\n    type filter hook input priority -145; policy accept;\n    iifname \"lo\" accept\n    "
          "meta mark " +
          std::to_string(kAcceptedMark) + " accept\n" + match + "counter dup to " + config.forward_to.text() + "\n" +
          match + "counter drop\n  }\n}\n",
      "install the way to the backup of service " + config.service);
}
}  // namespace

void install_queue_rules(const GateConfig& config) {
  const std::string in = chain_in(config.service), out = chain_out(config.service), vip = config.vip.text();
  const std::string comment = " -m comment --comment \"" + comment_of(config.service) + "\"";
  const std::string forward = chain_forward(config.service);
  // With --queue-bypass a packet that nobody waits for skips the rest of this table. The next one (install_way_on) lets in only what
  // the gate has accepted.
  const std::string to_in = " -j NFQUEUE --queue-num " + std::to_string(config.queue_in) +
                            (config.forward_to ? " --queue-bypass\n" : "\n");
  const std::string to_out = " -j NFQUEUE --queue-num " + std::to_string(config.queue_out) + "\n";
  remove_from(config.vip.family, config.service);
  std::string rules = "*mangle\n:" + in + " - [0:0]\n:" + out + " - [0:0]\n";
  if (config.forward_to) {
    rules += ":" + forward + " - [0:0]\n-A " + forward + " -j TEE --gateway " + config.forward_to.text() + "\n-A " +
             forward + " -j DROP\n-A " + in + " -m mark --mark " + std::to_string(kForwardMark) + " -j " + forward +
             "\n";
  }
  rules += "-A " + in + " -m mark --mark " + std::to_string(kAcceptedMark) + " -j RETURN\n";
  auto gate = [&](const std::string& in_port, const std::string& out_port) {
    const std::string to_port = "-A " + in + " -p tcp" + in_port;
    rules += to_port + to_in;
    const std::string from_port = "-A " + out + " -p tcp" + out_port + " --tcp-flags ";
    for (const char* flags : {"SYN SYN", "FIN FIN", "RST RST"}) rules.append(from_port).append(flags).append(to_out);
  };
  if (config.outward) {
    gate("", "");
  } else {
    for (const uint16_t port : config.tcp_ports)
      gate(" --dport " + std::to_string(port), " --sport " + std::to_string(port));
  }
  // Connections over lo have both their ends on this host, and end with it.
  rules += "-I INPUT 1 -d " + vip + " ! -i lo" + comment + " -j " + in + "\n";
  rules += "-I OUTPUT 1 -s " + vip + " ! -o lo" + comment + " -j " + out + "\n";
  run_command_or_throw({std::string(iptables_of(config.vip.family)) + "-restore", "-w", "5", "--noflush"},
                       rules + "COMMIT\n", "install the gate's rules of service " + config.service);
  // Last: it would send away packets of connections that are in use already. Until it is there, packets would come in unseen if the gate died;
  // there is nothing yet that the backup could go on with.
  if (config.forward_to) install_way_on(config);
}

void install_fence(const GateConfig& config, bool alive) {
  const std::string table = fence_table(config.service), vip = config.vip.text();
  const bool v4 = config.vip.family == AF_INET;
  const std::string ip = v4 ? "ip" : "ip6";
  // Connections may be in use already: output goes on until the lease is kept for the first time.
  const std::string set = "  set lease { type " + std::string(v4 ? "ipv4_addr" : "ipv6_addr") +
                          "; flags timeout; elements = { " + vip + " timeout " +
                          std::to_string(config.lease_ms + kBeginMs) + "ms }; }\n";
  std::string text = without_table("inet", table) + "table inet " + table + " {\n" + set;
  auto chain_of = [&](int priority, const std::string& match, const std::string& source) {
    std::string chain = "  chain out {\n    type filter hook output priority " + std::to_string(priority) +
                        "; policy accept;\n";
    const std::string ours = "    " + source + " " + vip + " ";
    if (alive) chain += ours + match + "meta mark & " + std::to_string(kAliveMark) + " == 0 counter drop\n";
    chain += ours + match + source + " != @lease counter drop\n";
    if (alive) chain += ours + "meta mark set meta mark & " + std::to_string(~kAliveMark) + "\n";
    return chain + "  }\n";
  };
  // Neighbour advertisements (IPv6) name the address that was asked for as their source, so they are among these.
  // Last of the OUTPUT hooks: a packet that waited in the gate's queue is judged when it goes on, not when it came.
  text += chain_of(kFencePriority, "oifname != \"lo\" ", ip + " saddr");
  if (!v4) {
    // The kernel puts IPv6 fragments together after INPUT, so a fragment would pass the gate unseen.
    text += "  chain in {\n    type filter hook input priority -160; policy accept;\n    ip6 daddr " + vip +
            " exthdr frag exists counter drop\n  }\n";
  }
  text += "}\n";
  text += without_table("arp", table);
  if (v4) { text += "table arp " + table + " {\n" + set + chain_of(kArpFencePriority, "", "arp saddr ip") + "}\n"; }
  nft(text, "install the fence of service " + config.service);
}

void install_standby_rules(const std::string& service, const Address& vip) {
  const std::string table = standby_table(service), ip = vip.family == AF_INET ? "ip" : "ip6";
  std::string text = without_table("inet", table) + "table inet " + table + " {\n  set closed { type " +
                     (vip.family == AF_INET ? "ipv4_addr" : "ipv6_addr") + "; elements = { " + vip.text() + " } }\n";
  text += "  chain forward {\n    type filter hook forward priority -300; policy accept;\n    " + ip + " daddr " +
          vip.text() + " drop\n  }\n";
  // Before the gate's queue (-150).
  text += "  chain in {\n    type filter hook input priority -200; policy accept;\n    iifname != \"lo\" " + ip +
          " daddr " + vip.text() + " " + ip + " daddr @closed drop\n  }\n}\n";
  nft(text, "install the standby rules of service " + service);
}

void install_silence(const std::string& service, const Address& vip) {
  const std::string table = nft_name("understudy_silence_", service), ip = vip.family == AF_INET ? "ip" : "ip6";
  nft(without_table("inet", table) + "table inet " + table +
          " {\n  chain out {\n    type filter hook output priority " + std::to_string(kFencePriority + 1) +
          "; policy accept;\n    " + ip + " saddr " + vip.text() + " meta l4proto tcp drop\n  }\n}\n",
      "silence the connections that a primary of service " + service + " has left");
}
void remove_silence(const std::string& service) {
  nft(without_table("inet", nft_name("understudy_silence_", service)), "remove the silence of service " + service);
}

void remove_queue_rules(const std::string& service) {
  remove_from(AF_INET, service);
  remove_from(AF_INET6, service);
  const std::string table = forward_table(service);
  nft(without_table("ip", table) + without_table("ip6", table), "remove the way to the backup of service " + service);
}
void remove_fence(const std::string& service) {
  const std::string table = fence_table(service);
  nft(without_table("inet", table) + without_table("arp", table), "remove the fence of service " + service);
}
void remove_standby_rules(const std::string& service) {
  nft(without_table("inet", standby_table(service)), "remove the standby rules of service " + service);
}

}  // namespace understudy::host
