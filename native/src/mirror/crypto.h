// The cryptography of the mirror, over OpenSSL: proofs (HMAC-SHA256), keys (HKDF) and sealing (AES-256-GCM).
//
// Invariants:
//  - A key seals each counter value once: Sealer counts by itself, and every connection derives keys of its own.
//  - Proofs are compared in constant time.
//
// Must not: know what is proven or sealed.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include <array>
#include <memory>
#include <string_view>

struct evp_cipher_ctx_st;

namespace understudy::host {

using Key32 = std::array<uint8_t, 32>;
inline constexpr size_t kSealTag = 16;

// For keys that are not needed any more.
void wipe(void* memory, size_t len);
void random_bytes(void* out, size_t len);
Key32 hmac_sha256(const void* key, size_t key_len, const void* data, size_t len);
Key32 sha256(const void* data, size_t len);
// RFC 5869, 32 bytes of output for one label.
Key32 hkdf_sha256(const void* key, size_t key_len, const Key32& salt, std::string_view label);
bool equal_constant_time(const Key32& a, const Key32& b);

// One direction of a sealed channel, either end of it.
class Sealer {
 public:
  enum class Use { Seal, Open };
  Sealer(const Key32& key, Use use);
  ~Sealer();
  Sealer(const Sealer&) = delete;
  Sealer& operator=(const Sealer&) = delete;
  // out: len + kSealTag bytes. `counter` must never repeat, and is authenticated.
  void seal(uint64_t counter, const void* in, size_t len, uint8_t* out);
  // in: len + kSealTag bytes; false when it is not what was sealed under this counter.
  bool open(uint64_t counter, const uint8_t* in, size_t len, void* out);

 private:
  evp_cipher_ctx_st* context_;
};

}  // namespace understudy::host
