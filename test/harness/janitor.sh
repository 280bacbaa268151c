#!/bin/sh
# Removes what a test rig made, when its maker says so or is gone: killed, crashed, or ended by Ctrl-C.
#
#   janitor.sh DIRECTORY|'' MOUNT... NAMESPACE...        its standard input: a pipe that only the maker holds open
#
# Invariant: only processes inside the named network namespaces are killed; the rig made those, and nothing else is in them. What begins
# with a slash is a mount, anything else a namespace.
#
# Must not: be in the maker's process group, or hold its output open: Ctrl-C is meant for the maker alone.
trap '' INT TERM HUP PIPE
dir=$1
shift
# No word comes: the pipe's end does, whatever the maker's end was.
cat >/dev/null

status=0
for round in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25; do
  left=''
  for name in "$@"; do
    case $name in /*) continue ;; esac
    left="$left $(ip netns pids "$name" 2>/dev/null | tr '\n' ' ')"
  done
  case $left in *[0-9]*) ;; *) break ;; esac
  # shellcheck disable=SC2086
  kill -9 $left 2>/dev/null
  # Killed is not gone: a guest's last process takes its time to give back memory and sockets.
  sleep 0.0$((round < 9 ? round : 9))
done
case $left in *[0-9]*) echo "processes that do not end: $left"; status=1 ;; esac
for name in "$@"; do
  case $name in /*) ! mountpoint -q "$name" || umount -l "$name" || status=1; continue ;; esac
  [ ! -e "/run/netns/$name" ] || ip netns del "$name" || status=1
done
[ -z "$dir" ] || rm -rf -- "$dir" || status=1
exit $status
