"""What well-known programs can receive."""

import pytest

from vudissect.protocol.model import Side
from vudissect.protocol.programs import ANY, ROOMS, room_of


@pytest.mark.parametrize(
    ("command", "side", "title", "payload", "descriptors"),
    [
        ("qemu-system-x86", Side.FRONT_END, "QEMU", 2056, 8),
        ("qemu-storage-da", Side.BACK_END, "libvhost-user", 272, 8),
        ("vhost-user-gpu", Side.BACK_END, "libvhost-user", 272, 8),
        ("dpdk-testpmd", Side.FRONT_END, "DPDK", 1072, 8),
        ("dpdk-testpmd", Side.BACK_END, "DPDK", 1072, 8),
        ("vhost-device-gp", Side.BACK_END, "rust-vmm", 4096, 32),
        ("cloud-hyperviso", Side.FRONT_END, "rust-vmm", 4096, 32),
        ("crosvm", Side.FRONT_END, "crosvm", None, 32),
    ],
)
def test_a_program_is_known_by_its_command(
    command: str, side: Side, title: str, payload: int | None, descriptors: int
) -> None:
    room = room_of(command, side)

    assert (room.title, room.payload, room.descriptors) == (title, payload, descriptors)


@pytest.mark.parametrize("command", ["", "bash", "qemu-storage-da"])
def test_nothing_is_known_about_other_front_ends(command: str) -> None:
    assert room_of(command, Side.FRONT_END) is ANY


def test_command_names_are_cut_as_the_kernel_cuts_them() -> None:
    patterns = [pattern for room in ROOMS for pattern in room.commands]

    assert [pattern for pattern in patterns if len(pattern.rstrip("*")) > 15] == []
