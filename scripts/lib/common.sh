# Shared by the scripts of this folder; sourced by bash, from anywhere.
#
# Sets $root to the top of the tree and gives the few words in which scripts speak to the user.
# Must not: change the caller's working directory, or print anything by being sourced.
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd -P)

if [ -t 1 ] && [ "${TERM:-dumb}" != dumb ] && [ -z "${NO_COLOR:-}" ]; then
  bold=$'\e[1m' dim=$'\e[2m' green=$'\e[32m' red=$'\e[31m' plain=$'\e[0m'
else
  bold='' dim='' green='' red='' plain=''
fi

say() { printf '%s\n' "$*"; }
fail() {
  printf '%s%s:%s %s\n' "$red" "${0##*/}" "$plain" "$*" >&2
  exit 1
}

# One hash over the contents and names of all files below the given paths (relative to $root) that match no exclusion.
hash_of() {
  (cd "$root" && find "$@" -type f ! -path '*/node_modules/*' -print0 2>/dev/null | LC_ALL=C sort -z |
    xargs -0 -r sha256sum | sha256sum | cut -d' ' -f1)
}

# The tools that packages put where an ordinary user's PATH does not look (nginx, policy-rc.d's callers).
case ":$PATH:" in *:/usr/sbin:*) ;; *) PATH=$PATH:/usr/sbin:/sbin ;; esac
