// SHA-256 against the examples of FIPS 180-4, and its two implementations against each other at every length around a block's end.
#include "sha256.h"

#include <stdio.h>
#include <string.h>

#include <string>

#include "common.h"

using namespace understudy::host;

static int failures = 0;

static void expect(const char* what, const std::string& actual, const std::string& expected) {
  if (actual == expected) return;
  failures++;
  fprintf(stderr, "%s: %s instead of %s\n", what, actual.c_str(), expected.c_str());
}

static std::string digits(const Sha256& sha) { return hex(sha.data(), sha.size()); }
static std::string of(const std::string& text) { return digits(sha256_of(text.data(), text.size())); }

int main() {
  expect("nothing", of(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  expect("abc", of("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  expect("two blocks", of("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  expect("a million a", of(std::string(1000000, 'a')),
         "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");

  std::string text;
  for (int i = 0; i < 300; i++) {
    Sha256Hasher piecewise;
    for (size_t at = 0; at < text.size(); at += 7)
      piecewise.update(text.data() + at, std::min<size_t>(7, text.size() - at));
    expect("in pieces", digits(piecewise.finish()), of(text));
    text += char(i * 7 + i / 3);
  }
  if (sha256_ways::has_sha_ni()) {
    uint32_t portable[8] = {1, 2, 3, 4, 5, 6, 7, 8}, fast[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    sha256_ways::blocks_portable(portable, reinterpret_cast<const uint8_t*>(text.data()), 4);
    sha256_ways::blocks_sha_ni(fast, reinterpret_cast<const uint8_t*>(text.data()), 4);
    if (memcmp(portable, fast, sizeof fast) != 0) {
      failures++;
      fprintf(stderr, "the two implementations differ\n");
    }
  }
  return failures == 0 ? 0 : 1;
}
