// See rules.h.
#include "net/rules.h"

#include <sstream>

#include "common.h"
#include "net/command.h"

namespace understudy::host {
namespace {

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
  const std::string saved =
      run_command_or_throw({program + "-save", "-t", "mangle"}, "", "list the rules of table mangle");
  const std::string in = chain_in(service), out = chain_out(service), comment = comment_of(service);
  std::string input;
  bool found_in = false, found_out = false;
  std::istringstream lines(saved);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(":" + in + " ")) found_in = true;
    if (line.starts_with(":" + out + " ")) found_out = true;
    const bool ours = line.find(comment + " ") != std::string::npos || line.find(comment + "\"") != std::string::npos;
    if (line.starts_with("-A ") && ours && (line.ends_with("-j " + in) || line.ends_with("-j " + out)))
      input += "-D" + line.substr(2) + "\n";
  }
  if (found_in) input += "-F " + in + "\n-X " + in + "\n";
  if (found_out) input += "-F " + out + "\n-X " + out + "\n";
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

std::string chain_in(const std::string& service) { return "US-IN-" + short_name(service); }
std::string chain_out(const std::string& service) { return "US-OUT-" + short_name(service); }
std::string standby_table(const std::string& service) { return nft_name("understudy_standby_", service); }
std::string fence_table(const std::string& service) { return nft_name("understudy_", service); }

void install_queue_rules(const GateConfig& config) {
  const std::string in = chain_in(config.service), out = chain_out(config.service), vip = config.vip.text();
  const std::string comment = " -m comment --comment \"" + comment_of(config.service) + "\"";
  const std::string to_in = " -j NFQUEUE --queue-num " + std::to_string(config.queue_in) + "\n";
  const std::string to_out = " -j NFQUEUE --queue-num " + std::to_string(config.queue_out) + "\n";
  remove_from(config.vip.family, config.service);

  std::string rules = "*mangle\n:" + in + " - [0:0]\n:" + out + " - [0:0]\n";
  auto gate = [&](const std::string& in_port, const std::string& out_port) {
    rules += "-A " + in + " -p tcp" + in_port + to_in;
    for (const char* flag : {"SYN", "FIN", "RST"})
      rules += "-A " + out + " -p tcp" + out_port + " --tcp-flags " + flag + " " + flag + to_out;
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
}

void install_fence(const GateConfig& config) {
  const std::string table = fence_table(config.service), vip = config.vip.text();
  const bool v4 = config.vip.family == AF_INET;
  const std::string ip = v4 ? "ip" : "ip6";
  const std::string set = "  set lease { type " + std::string(v4 ? "ipv4_addr" : "ipv6_addr") + "; flags timeout; }\n";
  std::string text = without_table("inet", table) + "table inet " + table + " {\n" + set;
  // Last of the OUTPUT hooks: a packet that waited in the gate's queue is judged when it goes on, not when it came.
  text += "  chain out {\n    type filter hook output priority 300; policy accept;\n    oifname \"lo\" accept\n    " + ip +
          " saddr " + vip + " " + ip + " saddr != @lease counter drop\n";
  if (!v4) {
    // Advertisements are sent from another address of the interface when the question asks for that.
    text += "    icmpv6 type { nd-neighbor-advert, nd-router-advert } icmpv6 taddr " + vip +
            " icmpv6 taddr != @lease counter drop\n";
  }
  text += "  }\n";
  if (!v4) {
    // The kernel puts IPv6 fragments together after INPUT, so a fragment would pass the gate unseen.
    text += "  chain in {\n    type filter hook input priority -160; policy accept;\n    ip6 daddr " + vip +
            " exthdr frag exists counter drop\n  }\n";
  }
  text += "}\n";
  text += without_table("arp", table);
  if (v4) {
    text += "table arp " + table + " {\n" + set +
            "  chain out {\n    type filter hook output priority 0; policy accept;\n    arp saddr ip " + vip +
            " arp saddr ip != @lease counter drop\n  }\n}\n";
  }
  nft(text, "install the fence of service " + config.service);
}

void install_standby_rules(const std::string& service, const Address& vip) {
  const std::string table = standby_table(service), ip = vip.family == AF_INET ? "ip" : "ip6";
  nft(without_table("inet", table) + "table inet " + table +
          " {\n  set held { type " + (vip.family == AF_INET ? "ipv4_addr" : "ipv6_addr") +
          " . inet_service; }\n  chain forward {\n    type filter hook forward priority -300; policy accept;\n    " + ip +
          " daddr " + vip.text() +
          " drop\n  }\n  chain input {\n    type filter hook input priority -300; policy accept;\n    iifname != \"lo\" " + ip +
          " daddr " + vip.text() + " " + ip + " saddr . tcp sport @held drop\n  }\n}\n",
      "install the standby rules of service " + service);
}

void remove_queue_rules(const std::string& service) {
  remove_from(AF_INET, service);
  remove_from(AF_INET6, service);
}
void remove_fence(const std::string& service) {
  const std::string table = fence_table(service);
  nft(without_table("inet", table) + without_table("arp", table), "remove the fence of service " + service);
}
void remove_standby_rules(const std::string& service) {
  nft(without_table("inet", standby_table(service)), "remove the standby rules of service " + service);
}

}  // namespace understudy::host
