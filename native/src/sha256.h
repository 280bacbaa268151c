// SHA-256 (FIPS 180-4).
//
// Its own, and not a library's: OpenSSL takes 2 ms to get ready for the first hash, longer than many a guest runs. Blobs are named by
// it and agents told apart; nothing secret is hashed.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include <array>

namespace understudy::host {

using Sha256 = std::array<uint8_t, 32>;

class Sha256Hasher {
 public:
  void update(const void* data, size_t len);
  // Once, at the end.
  Sha256 finish();

 private:
  uint32_t state_[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  uint8_t block_[64];
  uint64_t bytes_ = 0;
};

Sha256 sha256_of(const void* data, size_t len);
// The whole file, whatever the descriptor's position; false, with errno, when it cannot be read. `size` is a hint.
bool sha256_of_file(int fd, uint64_t size, Sha256* out);

namespace sha256_ways {
// For the tests: both ways of hashing whole blocks of 64 bytes, and whether this processor has the second.
void blocks_portable(uint32_t state[8], const uint8_t* data, size_t blocks);
void blocks_sha_ni(uint32_t state[8], const uint8_t* data, size_t blocks);
bool has_sha_ni();
}  // namespace sha256_ways

}  // namespace understudy::host
