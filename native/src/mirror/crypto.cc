// See crypto.h.
#include "crypto.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <string.h>

#include <string>

#include "common.h"

namespace understudy::host {
namespace {
[[noreturn]] void failed(const char* what) {
  throw HostError("MIRROR", 0, "", std::string("OpenSSL could not ") + what + "; the mirror cannot work without it");
}
void nonce_of(uint64_t counter, uint8_t nonce[12]) {
  memset(nonce, 0, 4);
  memcpy(nonce + 4, &counter, 8);
}
}  // namespace

void wipe(void* memory, size_t len) { OPENSSL_cleanse(memory, len); }

void random_bytes(void* out, size_t len) {
  if (RAND_bytes(static_cast<uint8_t*>(out), int(len)) != 1) failed("give random bytes");
}

Key32 hmac_sha256(const void* key, size_t key_len, const void* data, size_t len) {
  Key32 out;
  unsigned size = 0;
  if (HMAC(EVP_sha256(), key, int(key_len), static_cast<const uint8_t*>(data), len, out.data(), &size) == nullptr ||
      size != 32)
    failed("compute an HMAC");
  return out;
}

Key32 sha256(const void* data, size_t len) {
  Key32 out;
  SHA256(static_cast<const uint8_t*>(data), len, out.data());
  return out;
}

Key32 hkdf_sha256(const void* key, size_t key_len, const Key32& salt, std::string_view label) {
  // Extract, then the one block of expand that 32 bytes need.
  Key32 pseudo_random = hmac_sha256(salt.data(), salt.size(), key, key_len);
  std::string block(label);
  block.push_back('\x01');
  Key32 out = hmac_sha256(pseudo_random.data(), pseudo_random.size(), block.data(), block.size());
  wipe(pseudo_random.data(), pseudo_random.size());
  return out;
}

bool equal_constant_time(const Key32& a, const Key32& b) { return CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0; }

Sealer::Sealer(const Key32& key, Use use) : context_(EVP_CIPHER_CTX_new()) {
  // The key schedule is made once; each message sets only its nonce.
  if (context_ == nullptr ||
      EVP_CipherInit_ex(context_, EVP_aes_256_gcm(), nullptr, key.data(), nullptr, use == Use::Seal ? 1 : 0) != 1)
    failed("start AES-256-GCM");
}

Sealer::~Sealer() { EVP_CIPHER_CTX_free(context_); }

void Sealer::seal(uint64_t counter, const void* in, size_t len, uint8_t* out) {
  uint8_t nonce[12];
  nonce_of(counter, nonce);
  int n = 0, last = 0;
  if (EVP_EncryptInit_ex(context_, nullptr, nullptr, nullptr, nonce) != 1 ||
      EVP_EncryptUpdate(context_, out, &n, static_cast<const uint8_t*>(in), int(len)) != 1 || size_t(n) != len ||
      EVP_EncryptFinal_ex(context_, out + len, &last) != 1 ||
      EVP_CIPHER_CTX_ctrl(context_, EVP_CTRL_GCM_GET_TAG, int(kSealTag), out + len) != 1)
    failed("seal a batch");
}

bool Sealer::open(uint64_t counter, const uint8_t* in, size_t len, void* out) {
  uint8_t nonce[12], tag[kSealTag];
  nonce_of(counter, nonce);
  // A copy: the memory that it comes from may be written by the peer at any moment.
  memcpy(tag, in + len, kSealTag);
  int n = 0;
  uint8_t none[16];
  return EVP_DecryptInit_ex(context_, nullptr, nullptr, nullptr, nonce) == 1 &&
         EVP_DecryptUpdate(context_, static_cast<uint8_t*>(out), &n, in, int(len)) == 1 && size_t(n) == len &&
         EVP_CIPHER_CTX_ctrl(context_, EVP_CTRL_GCM_SET_TAG, int(kSealTag), tag) == 1 &&
         EVP_DecryptFinal_ex(context_, none, &n) == 1;
}

}  // namespace understudy::host
