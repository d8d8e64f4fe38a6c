#!/bin/sh
# DPDK's example vhost_blk, a disk in memory, as a back-end: vudissect check -- sh vhost-blk.sh {socket}
#
# It is built from the source in Debian's dpdk-doc, with libdpdk-dev, gcc and pkg-config. It listens in the folder in
# which it runs, under a name of its own.
set -e
socket=$1
source=/usr/share/dpdk/examples/vhost_blk
program=$PWD/vhost-blk
[ -x "$program" ] || cc -O2 -DALLOW_EXPERIMENTAL_API $(pkg-config --cflags libdpdk) -o "$program" \
    $source/blk.c $source/vhost_blk.c $source/vhost_blk_compat.c $(pkg-config --libs libdpdk)
cd "$(dirname "$socket")"
ln -sf vhost.socket "$socket"
exec "$program" --lcores '0@(0-1),1@1' --no-huge -m 512 --no-pci --no-telemetry --no-shconf
