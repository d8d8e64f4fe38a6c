"""The programs whose lines are known, and how they can be recognised in the first part of a line."""

import re
from enum import Enum

from vudissect.protocol.model import Side

# The name of a program precedes its message, possibly after time, host, container and pod.
_HEAD = 240


class Program(Enum):
    """A program or library: its name, its side (None where it may be either), and how its lines begin."""

    QEMU = (
        "QEMU",
        Side.FRONT_END,
        r"qemu-system-\w{1,12}|qemu-kvm|\bqemu(?=[:\[ ])|\bkvm(?=[:\[])|vhost_user_\w{1,12} req:",
    )
    STORAGE_DAEMON = "qemu-storage-daemon", Side.BACK_END, r"qemu-storage-daemon|\bqsd(?=[:\[])"
    LIBVHOST_USER = "libvhost-user", Side.BACK_END, r"libvhost-user|vu_panic|vhost-user-(?:input|gpu)(?=[:\[])"
    DPDK = (
        "DPDK",
        Side.BACK_END,
        r"VHOST_(?:CONFIG|DATA|FDMAN|CRYPTO|LOG)|eth_vhost|pmd_vhost|\|dpdk\|| dpdk\[|testpmd|Vhost-Crypto",
    )
    VIRTIO_USER = (
        "DPDK virtio-user",
        Side.FRONT_END,
        r"virtio[-_]user|VIRTIO_(?:DRIVER|INIT)|vhost_user_(?:read|write|sock|start_server)\(\)",
    )
    SPDK = "SPDK", Side.BACK_END, r"\bspdk|\*(?:ERROR|WARNING|NOTICE|INFO)\*|rte_vhost_user\.c|vhost_(?:blk|scsi)\.c"
    RUST_VMM = "rust-vmm", None, r"\bvhost::|vhost_user_backend::|vhost_user::"
    RUST_DAEMON = "vhost-device", Side.BACK_END, r"vhost[-_]device[-_]\w{1,12}|vhost_user_(?:blk|net|block)(?=[:\] ])"
    VIRTIOFSD = "virtiofsd", Side.BACK_END, r"virtiofsd|\bfv_\w{1,30}|virtio_(?:loop|session_\w{1,10})(?=:)"
    OPEN_VSWITCH = "Open vSwitch", Side.BACK_END, r"ovs-vswitchd|netdev_dpdk|\bovs\b"
    VPP = (
        "VPP",
        Side.BACK_END,
        r"\bvpp(?=[:\[# ])|\bvnet(?=[:\[])|vhost_user_(?:socket_read|if_input|socksvr_\w{1,20})",
    )
    CLOUD_HYPERVISOR = (
        "Cloud Hypervisor",
        Side.FRONT_END,
        r"cloud-hyperviso|virtio-devices/src|vmm/src/|vm-migration/|\bclh\b|VmBoot\(|DeviceManager",
    )
    CROSVM = "crosvm", None, r"crosvm|vmm_vhost|devices::virtio::vhost_user|devices/src/virtio/vhost_user"
    FIRECRACKER = "Firecracker", Side.FRONT_END, r"firecracker|vmm/src/devices/virtio|fc_vcpu|anonymous-instance"
    PASST = "passt", Side.BACK_END, r"\bpasst"
    LIBVIRT = "libvirt", Side.FRONT_END, r"libvirt|virtqemud|qemu(?:Process|Monitor|VhostUser)\w{1,40}:\d"
    KATA = "Kata Containers", Side.FRONT_END, r"\bkata|containerd-shim|virtcontainers"
    YC_LIBVHOST = "yc-libvhost-server", Side.BACK_END, r"\bvhd_|yc-libvhost|\[[^\]]{1,40}\]:? \w{3,6}: vring"
    SNABB = "snabb", Side.BACK_END, r"\bsnabb|net_device\.lua|vhost_user:"
    KERNEL = "the kernel", None, r"kernel: "

    def __init__(self, title: str, side: Side | None, traces: str) -> None:
        self.title = title
        self.side = side
        self.traces = traces


_TRACES = re.compile("|".join(f"(?P<{program.name}>{program.traces})" for program in Program), re.IGNORECASE)


def programs_in(text: str) -> tuple[Program, ...]:
    """The programs that the first part of a line names, the one nearest to its text last."""
    found = (Program[match.lastgroup] for match in _TRACES.finditer(text[:_HEAD]) if match.lastgroup)
    return tuple(dict.fromkeys(found))
