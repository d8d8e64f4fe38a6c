#!/bin/sh
# inside.sh TREE PROGRAM [ARGUMENT...]: replaces itself with a program of the Debian release in a tree.
#
# The current folder, /dev, /proc and /sys are those of the host, so sockets and files in the folder have the same names
# for all programs. The tree becomes the root of a mount namespace: in a chroot, passt could not make a user namespace.
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
