#!/bin/sh
# inside.sh TREE PROGRAM [ARGUMENT...]: runs a program of another Debian, of the tree that it is in, as the same process.
#
# The current folder, /dev, /proc and /sys are those outside, so sockets and files in the folder have the same names to
# all. The tree becomes the root of a mount namespace; in a mere chroot nobody can make a namespace of users, as passt does.
set -eu

tree=$1
shift
as_root=
[ "$(id -u)" = 0 ] || as_root=--map-root-user
# shellcheck disable=SC2016 # expanded by the shell inside
exec unshare $as_root --mount -- sh -euc '
    tree=$1 folder=$2
    shift 2
    mount --rbind "$tree" "$tree"
    for shared in /dev /proc /sys "$folder"; do
        mkdir -p "$tree$shared"
        mount --rbind "$shared" "$tree$shared"
    done
    cd "$tree"
    mkdir -p outside
    pivot_root . outside
    umount --lazy /outside
    cd "$folder"
    exec "$@"' sh "$tree" "$(pwd -P)" "$@"
