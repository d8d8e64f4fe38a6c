#!/bin/sh
# Open vSwitch with DPDK as a back-end with one port: vudissect check -- sh open-vswitch.sh {socket}
#
# It needs root, for a network namespace of its own, and Debian's openvswitch-switch-dpdk; neither huge pages nor a
# service. The shell becomes the switch, so that its end is seen as it was; the database ends with its process group.
set -e
socket=$1
port=$(basename "$socket")
folder=$(dirname "$socket")
export OVS_RUNDIR="$folder" OVS_DBDIR="$folder" OVS_LOGDIR="$folder" OVS_SYSCONFDIR="$folder"
rm -f "$folder/ovs.db" "$folder/db.sock"
ovsdb-tool create "$folder/ovs.db" /usr/share/openvswitch/vswitch.ovsschema
ovsdb-server "$folder/ovs.db" --remote=punix:db.sock --no-chdir &
until [ -S "$folder/db.sock" ]; do kill -0 $!; sleep 0.05; done
ovs-vsctl --no-wait init \
    -- set Open_vSwitch . other_config:dpdk-init=true other_config:per-port-memory=true other_config:pmd-cpu-mask=2 \
       other_config:dpdk-extra="--legacy-mem --no-huge -m 512 --no-pci --no-telemetry --no-shconf" \
    -- add-br br0 -- set bridge br0 datapath_type=netdev \
    -- add-port br0 "$port" -- set Interface "$port" type=dpdkvhostuser
exec unshare --net /usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk -vcoverage:off
