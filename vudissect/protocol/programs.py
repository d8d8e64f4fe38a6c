"""What well-known programs can receive: where a well-formed message is too large for its receiver.

Programs are recognised by the command name that the kernel reports (at most 15 characters), so several versions, and
sometimes several implementations, share a row: it has the limits of the most generous.
"""

from fnmatch import fnmatchcase
from typing import NamedTuple

from vudissect.protocol.model import Side

_QEMU = "QEMU hw/virtio/vhost-user.c, VhostUserMsg"
_LIBVHOST_USER = "libvhost-user, VhostUserMsg"
_DPDK = "DPDK lib/vhost/vhost_user.h, struct VhostUserMsg"
_RUST = "rust-vmm vhost, MAX_MSG_SIZE and MAX_ATTACHED_FD_ENTRIES"


class Room(NamedTuple):
    """What a program can receive in one message: bytes of payload (None: no limit), and descriptors.

    `commands` are patterns of command names; `side` is the side that the program must be on (None: either).
    """

    title: str
    payload: int | None
    descriptors: int
    source: str
    commands: tuple[str, ...] = ()
    side: Side | None = None


# For an unknown receiver: what no program accepts, and what some of the most common do not accept.
ANY = Room("QEMU, libvhost-user, DPDK, VPP and rust-vmm", 4096, 8, f"{_QEMU}; {_RUST}")

QEMU = Room(
    "QEMU", 2056, 8, f"{_QEMU}: 1072 bytes from 8.1 to 11.0, 632 before", ("qemu-system-*", "qemu-kvm"), Side.FRONT_END
)

DPDK = Room("DPDK", 1072, 8, _DPDK, ("dpdk-*", "testpmd", "ovs-vswitchd"))

_RUST_PROGRAMS = (
    "vhost-device-*",
    "cloud-hyperviso",
    "firecracker",
    "alioth*",
    "krun*",
    "openvmm*",
    "stratovirt*",
)

ROOMS = (
    QEMU,
    Room("libvhost-user", 272, 8, _LIBVHOST_USER, ("qemu-storage-da", "vhost-user-*"), Side.BACK_END),
    DPDK,
    Room("virtiofsd", 4096, 32, f"{_RUST}; the older one in C: {_LIBVHOST_USER}", ("virtiofsd",), Side.BACK_END),
    Room(
        "rust-vmm",
        4096,
        32,
        _RUST,
        _RUST_PROGRAMS,
    ),
    Room("crosvm", None, 32, "crosvm third_party/vmm_vhost", ("crosvm*",)),
)


def room_of(command: str, side: Side) -> Room:
    """What the program with this command name can receive on this side; `ANY` for an unknown one."""
    for room in ROOMS:
        if room.side in (None, side) and any(fnmatchcase(command, pattern) for pattern in room.commands):
            return room
    return ANY
