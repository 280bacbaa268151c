// See sha256.h.
#include "sha256.h"

#include <errno.h>
#include <immintrin.h>
#include <string.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <vector>

namespace understudy::host {
namespace {

constexpr size_t kReadBytes = 64 << 10, kBlock = 64;

alignas(16) constexpr uint32_t kRound[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

void blocks(uint32_t state[8], const uint8_t* data, size_t count) {
  static const bool fast = sha256_ways::has_sha_ni();
  if (fast) sha256_ways::blocks_sha_ni(state, data, count);
  else sha256_ways::blocks_portable(state, data, count);
}

}  // namespace

bool sha256_ways::has_sha_ni() {
  // GCC 12 has no name for SHA in __builtin_cpu_supports.
  unsigned a = 7, b = 0, c = 0, d = 0;
  asm volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
  return (b >> 29 & 1) != 0 && __builtin_cpu_supports("sse4.1");
}

void sha256_ways::blocks_portable(uint32_t state[8], const uint8_t* data, size_t count) {
  for (; count > 0; count--, data += kBlock) {
    uint32_t w[64];
    for (int i = 0; i < 16; i++) {
      memcpy(&w[i], data + i * 4, 4);
      w[i] = __builtin_bswap32(w[i]);
    }
    for (int i = 16; i < 64; i++) {
      const uint32_t s0 = std::rotr(w[i - 15], 7) ^ std::rotr(w[i - 15], 18) ^ w[i - 15] >> 3;
      const uint32_t s1 = std::rotr(w[i - 2], 17) ^ std::rotr(w[i - 2], 19) ^ w[i - 2] >> 10;
      w[i] = w[i - 16] + s0 + w[i - 7] + s1;
    }
    uint32_t v[8];
    memcpy(v, state, sizeof v);
    for (int i = 0; i < 64; i++) {
      const uint32_t s1 = std::rotr(v[4], 6) ^ std::rotr(v[4], 11) ^ std::rotr(v[4], 25);
      const uint32_t t1 = v[7] + s1 + ((v[4] & v[5]) ^ (~v[4] & v[6])) + kRound[i] + w[i];
      const uint32_t s0 = std::rotr(v[0], 2) ^ std::rotr(v[0], 13) ^ std::rotr(v[0], 22);
      const uint32_t t2 = s0 + ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
      for (int k = 7; k > 0; k--) v[k] = v[k - 1];
      v[4] += t1;
      v[0] = t1 + t2;
    }
    for (int i = 0; i < 8; i++) state[i] += v[i];
  }
}

// The instructions keep the state as (A B E F) and (C D G H) and do four rounds of a message quarter in two steps.
__attribute__((target("sha,sse4.1"))) void sha256_ways::blocks_sha_ni(uint32_t state[8], const uint8_t* data,
                                                                      size_t count) {
  const __m128i big_endian = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
  const __m128i dcba = _mm_shuffle_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(state)), 0xb1);
  const __m128i hgfe = _mm_shuffle_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(state + 4)), 0x1b);
  __m128i abef = _mm_alignr_epi8(dcba, hgfe, 8), cdgh = _mm_blend_epi16(hgfe, dcba, 0xf0);
  for (; count > 0; count--, data += kBlock) {
    const __m128i abef_before = abef, cdgh_before = cdgh;
    __m128i w[4];
    for (int i = 0; i < 16; i++) {
      __m128i& quarter = w[i & 3];
      if (i < 4) {
        quarter = _mm_shuffle_epi8(_mm_loadu_si128(reinterpret_cast<const __m128i*>(data) + i), big_endian);
      } else {
        const __m128i one = w[(i + 1) & 3], two = w[(i + 2) & 3], three = w[(i + 3) & 3];
        quarter = _mm_add_epi32(_mm_sha256msg1_epu32(quarter, one), _mm_alignr_epi8(three, two, 4));
        quarter = _mm_sha256msg2_epu32(quarter, three);
      }
      const __m128i sum = _mm_add_epi32(quarter, _mm_load_si128(reinterpret_cast<const __m128i*>(kRound) + i));
      cdgh = _mm_sha256rnds2_epu32(cdgh, abef, sum);
      abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(sum, 0x0e));
    }
    abef = _mm_add_epi32(abef, abef_before);
    cdgh = _mm_add_epi32(cdgh, cdgh_before);
  }
  const __m128i feba = _mm_shuffle_epi32(abef, 0x1b), dchg = _mm_shuffle_epi32(cdgh, 0xb1);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(state), _mm_blend_epi16(feba, dchg, 0xf0));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(state + 4), _mm_alignr_epi8(dchg, feba, 8));
}

void Sha256Hasher::update(const void* data, size_t len) {
  const auto* p = static_cast<const uint8_t*>(data);
  const size_t filled = bytes_ % kBlock;
  bytes_ += len;
  if (filled > 0) {
    const size_t part = std::min(len, kBlock - filled);
    memcpy(block_ + filled, p, part);
    if (filled + part < kBlock) return;
    blocks(state_, block_, 1);
    p += part;
    len -= part;
  }
  blocks(state_, p, len / kBlock);
  if (len % kBlock > 0) memcpy(block_, p + len / kBlock * kBlock, len % kBlock);
}

Sha256 Sha256Hasher::finish() {
  const uint64_t bits = __builtin_bswap64(bytes_ * 8);
  const uint8_t padding[kBlock] = {0x80};
  // One bit, zeros to eight bytes before a block's end, and the length.
  update(padding, 1 + (kBlock * 2 - 9 - bytes_ % kBlock) % kBlock);
  update(&bits, sizeof bits);
  Sha256 out;
  for (int i = 0; i < 8; i++) {
    const uint32_t word = __builtin_bswap32(state_[i]);
    memcpy(out.data() + i * 4, &word, 4);
  }
  return out;
}

Sha256 sha256_of(const void* data, size_t len) {
  Sha256Hasher hasher;
  hasher.update(data, len);
  return hasher.finish();
}

bool sha256_of_file(int fd, uint64_t size, Sha256* out) {
  Sha256Hasher hasher;
  std::vector<uint8_t> buffer(std::min<uint64_t>(size + 1, kReadBytes));
  for (off_t at = 0;;) {
    ssize_t n = pread(fd, buffer.data(), buffer.size(), at);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return false;
    if (n == 0) break;
    hasher.update(buffer.data(), size_t(n));
    at += n;
  }
  *out = hasher.finish();
  return true;
}

}  // namespace understudy::host
