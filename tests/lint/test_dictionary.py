"""Known lines of logs: each is recognised, read with the message table, and tied to rules."""

import pytest

from vudissect.lint.dictionary import LOG_LINES, LogLine, Recognised, recognise
from vudissect.lint.rules import ALL_RULES


def only(text: str) -> Recognised:
    (found,) = recognise([text])
    return found


@pytest.mark.parametrize(
    ("text", "program", "rule"),
    [
        ("qemu: Failed to read msg header. Read 0 instead of 12. Original request 1.", "QEMU", "VU-RPL-08"),
        ("Failed to read msg header. Read -1 instead of 12. Original request 11.", "QEMU", "VU-RPL-08"),
        ("Received unexpected msg type. Expected 22 received 40", "QEMU", "VU-RPL-02"),
        ("Failed to read msg header. Flags 0xd instead of 0x5.", "QEMU", "VU-HDR-05"),
        ("Received bad msg size.", "QEMU", "VU-RPL-06"),
        ("Failed to read msg header. Size 4096 exceeds the maximum 1072.", "QEMU", "VU-HDR-08"),
        ("qemu-system-x86_64: Failed to set msg fds.", "QEMU", "VU-RPL-08"),
        ("vhost VQ 0 ring restore failed: -22: Invalid argument (22)", "QEMU", "VU-TIM-02"),
        ("vhost_set_vring_call failed 22", "QEMU", "VU-RPL-08"),
        (
            "Failed initializing vhost-user memory map, consider using -object memory-backend-file share=on",
            "QEMU",
            "VU-MEM-01",
        ),
        ("you are asking more queues than supported: 128", "QEMU", "VU-VRG-01"),
        ("The maximum number of queues supported by the backend is 1", "QEMU", "VU-VRG-01"),
        ("postcopy reply not fully consumed", "QEMU", "VU-PCP-02"),
        ("VHOST_CONFIG: (/tmp/s) processing VHOST_USER_SET_MEM_TABLE failed.", "DPDK", "VU-RPL-05"),
        ("VHOST_CONFIG: (/tmp/s) vhost message handling failed.", "DPDK", "VU-RPL-08"),
        ("VHOST_CONFIG: (/tmp/s) vhost message (req: 80) was not handled.", "DPDK", "VU-HDR-01"),
        ("VHOST_CONFIG: expect 0 FDs for request VHOST_USER_REM_MEM_REG, received 1", "DPDK", "VU-FD-07"),
        ("VHOST_CONFIG: (/tmp/s) received invalid negotiated features.", "DPDK", "VU-NEG-01"),
        ("vhost_blk.c: *ERROR*: Guest memory size is not a 2MB multiple", "SPDK", "VU-MEM-04"),
        ("Received unexpected msg type: 9.", "QEMU", "VU-HDR-01"),
        ("Unhandled request: 34", "libvhost-user", "VU-HDR-01"),
        ("Guest says index 61440 > 128 is available", "libvhost-user", "VU-MEM-05"),
        ("vu_message_read: Assertion `vmsg->fd_num <= 8' failed.", "libvhost-user", "VU-FD-05"),
        ("HandleRequest(InvalidParam)", "rust-vmm", "VU-HDR-07"),
        ('Error: "FindMemoryRegion"', "virtiofsd", "VU-MEM-05"),
        ("unknown vhost-user message 20 received. closing socket", "VPP", "VU-HDR-01"),
        ("lib/virtio/net_device.lua:404: attempt to index a nil value", "snabb", "VU-HDR-01"),
    ],
)
def test_a_line_is_known(text: str, program: str, rule: str) -> None:
    found = only(text)

    assert program in found.line.program
    assert rule in found.line.rules


@pytest.mark.parametrize("line", LOG_LINES, ids=lambda line: line.pattern)
def test_every_entry_points_to_rules_that_there_are(line: LogLine) -> None:
    assert line.rules
    assert set(line.rules) <= {rule.id for rule in ALL_RULES}


def test_message_numbers_are_read_with_the_table() -> None:
    found = only("Received unexpected msg type. Expected 22 received 40")

    assert [(role, number, row and row.name) for role, number, row in found.messages] == [
        ("expected", 22, "IOTLB_MSG"),
        ("received", 40, "GET_STATUS"),
    ]


def test_those_of_the_back_end_channel_are_its_own() -> None:
    ((_, number, row),) = only("Received unexpected msg type: 2.").messages

    assert row is not None
    assert (number, row.name) == (2, "CONFIG_CHANGE_MSG")


def test_a_number_that_nobody_published_has_no_row() -> None:
    assert only("Unhandled request: 1004").messages == (("request", 1004, None),)


def test_lines_are_counted_and_unknown_ones_passed_over() -> None:
    found = recognise(["booting", "Received bad msg size.", "", "Failed to set msg fds."])

    assert [each.number for each in found] == [2, 4]
