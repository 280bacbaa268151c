// KernelObjects as msgpack: positional arrays, fields appended at the end only.
#include "describe.h"
#include "packer.h"

namespace understudy::host::checkpoint {
namespace {

// One list of fields for both directions: what is written and what is read cannot come apart.
class Writer {
 public:
  explicit Writer(Packer* p) : p_(*p) {}
  template <class... T>
  bool fields(const T&... values) {
    p_.array(sizeof...(values));
    (put(values), ...);
    return true;
  }

 private:
  template <class T>
  void put(const T& value) {
    if constexpr (std::is_signed_v<T>) p_.signed_int(value);
    else p_.unsigned_int(uint64_t(value));
  }
  void put(const std::string& value) { p_.binary(value); }
  template <class T>
  void put(const std::vector<T>& list) {
    p_.array(list.size());
    for (const T& item : list) put_item(item);
  }
  template <class T>
  void put_item(const T& item);
  Packer& p_;
};

class Reader {
 public:
  explicit Reader(MsgpackReader* r) : r_(*r) {}
  template <class... T>
  bool fields(T&... values) {
    const uint64_t have = r_.array();
    if (!r_.ok() || have < sizeof...(values)) return false;
    const bool ok = (get(values) && ...);
    return r_.skip_appended(have, sizeof...(values)) && ok;
  }

 private:
  template <class T>
  bool get(T& value) {
    value = T(r_.integer());
    return r_.ok();
  }
  bool get(std::string& value) {
    value = r_.bytes();
    return r_.ok();
  }
  template <class T>
  bool get(std::vector<T>& list) {
    for (uint64_t left = r_.array(); left > 0 && r_.ok(); left--)
      if (!get_item(list.emplace_back())) return false;
    return r_.ok();
  }
  template <class T>
  bool get_item(T& item);
  MsgpackReader& r_;
};

template <class C, class D>
bool visit(C& c, D& d) requires std::is_same_v<std::remove_const_t<D>, Descriptor> {
  return c.fields(d.pid, d.fd, d.cloexec, d.file);
}
template <class C, class W>
bool visit(C& c, W& w) requires std::is_same_v<std::remove_const_t<W>, Watched> {
  return c.fields(w.fd, w.events, w.data, w.file);
}
template <class C, class W>
bool visit(C& c, W& w) requires std::is_same_v<std::remove_const_t<W>, InotifyWatch> {
  return c.fields(w.wd, w.ino, w.dev, w.mask, w.handle, w.path);
}
template <class C, class F>
bool visit(C& c, F& f) requires std::is_same_v<std::remove_const_t<F>, OpenFile> {
  return c.fields(f.kind, f.flags, f.position, f.ino, f.dev, f.mode, f.path, f.deleted, f.object, f.count, f.semaphore,
                  f.clock, f.settime_flags, f.ticks, f.value_ns, f.interval_ns, f.signals, f.target_pid, f.seals,
                  f.bytes, f.watched, f.watches, f.unread_bytes, f.contents);
}
template <class C, class P>
bool visit(C& c, P& p) requires std::is_same_v<std::remove_const_t<P>, Pipe> {
  return c.fields(p.ino, p.capacity, p.contents);
}
template <class C, class S>
bool visit(C& c, S& s) requires std::is_same_v<std::remove_const_t<S>, UnixSocket> {
  return c.fields(s.ino, s.peer, s.type, s.listening, s.connected, s.backlog, s.waiting, s.address, s.peer_address,
                  s.send_buffer, s.receive_buffer, s.pass_credentials, s.shut, s.received, s.carries_descriptors,
                  s.unread_by_peer);
}
template <class C, class S>
bool visit(C& c, S& s) requires std::is_same_v<std::remove_const_t<S>, SocketOption> {
  return c.fields(s.level, s.name, s.value);
}
template <class C, class S>
bool visit(C& c, S& s) requires std::is_same_v<std::remove_const_t<S>, InetSocket> {
  return c.fields(s.ino, s.family, s.type, s.protocol, s.state, s.local, s.remote, s.cookie, s.backlog, s.options);
}
template <class C, class L>
bool visit(C& c, L& l) requires std::is_same_v<std::remove_const_t<L>, FileLock> {
  return c.fields(l.kind, l.exclusive, l.file, l.pid, l.fd, l.start, l.length);
}
template <class C, class T>
bool visit(C& c, T& t) requires std::is_same_v<std::remove_const_t<T>, PosixTimer> {
  return c.fields(t.id, t.clock, t.signal, t.notify, t.target, t.value, t.spec);
}
template <class C, class A>
bool visit(C& c, A& a) requires std::is_same_v<std::remove_const_t<A>, ProcessAttributes> {
  return c.fields(a.pid, a.directory, a.root, a.umask, a.limits, a.users, a.groups, a.further_groups, a.intervals,
                  a.timers, a.pending, a.nice, a.policy, a.priority, a.capabilities, a.no_new_privileges);
}
template <class C, class S>
bool visit(C& c, S& s) requires std::is_same_v<std::remove_const_t<S>, SharedSegment> {
  return c.fields(s.id, s.key, s.mode, s.uid, s.gid, s.bytes);
}
template <class C, class S>
bool visit(C& c, S& s) requires std::is_same_v<std::remove_const_t<S>, SemaphoreSet> {
  return c.fields(s.id, s.key, s.mode, s.uid, s.gid, s.values);
}
template <class C, class M>
bool visit(C& c, M& m) requires std::is_same_v<std::remove_const_t<M>, std::pair<int64_t, std::string>> {
  return c.fields(m.first, m.second);
}
template <class C, class Q>
bool visit(C& c, Q& q) requires std::is_same_v<std::remove_const_t<Q>, MessageQueue> {
  return c.fields(q.id, q.key, q.mode, q.uid, q.gid, q.bytes_max, q.messages);
}
template <class C, class O>
bool visit(C& c, O& o) requires std::is_same_v<std::remove_const_t<O>, KernelObjects> {
  return c.fields(o.descriptors, o.files, o.pipes, o.unix_sockets, o.inet_sockets, o.segments, o.semaphores, o.queues,
                  o.missing, o.processes, o.standard, o.locks);
}

template <class T>
void Writer::put_item(const T& item) {
  if constexpr (requires { put(item); } && (std::is_arithmetic_v<T> || std::is_same_v<T, std::string>)) put(item);
  else visit(*this, item);
}

template <class T>
bool Reader::get_item(T& item) {
  if constexpr (std::is_arithmetic_v<T> || std::is_same_v<T, std::string>) return get(item);
  else return visit(*this, item);
}

}  // namespace

std::string encode_objects(const KernelObjects& objects) {
  Packer p;
  Writer writer(&p);
  visit(writer, objects);
  return p.take();
}

bool decode_objects(std::string_view bytes, KernelObjects* out) {
  MsgpackReader r(bytes);
  Reader reader(&r);
  return visit(reader, *out);
}

}  // namespace understudy::host::checkpoint
