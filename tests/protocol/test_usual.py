"""How long answers usually take."""

import pytest

from vudissect.protocol.model import Channel, Row
from vudissect.protocol.purpose import Purpose
from vudissect.protocol.table import UPSTREAM
from vudissect.protocol.unknown import unknown_row
from vudissect.protocol.usual import USUAL_TIMES, is_far_too_late, is_late, polls

SECOND = 1_000_000_000


def row_of(purpose: Purpose) -> Row:
    return next(row for row in UPSTREAM.messages if row.purpose is purpose)


@pytest.mark.parametrize(
    ("purpose", "command", "seconds", "late", "far"),
    [
        (Purpose.READ_CONFIG, "virtiofsd", 1, False, False),
        (Purpose.READ_CONFIG, "virtiofsd", 2, True, False),
        (Purpose.READ_CONFIG, "virtiofsd", 6, True, True),
        (Purpose.OFFER_FEATURES, "", 6, True, False),
        (Purpose.OFFER_FEATURES, "", 16, True, True),
        (Purpose.REPLACE_MEMORY, "", 4, True, False),
        (Purpose.REPLACE_MEMORY, "ovs-vswitchd", 4, False, False),
        (Purpose.ADD_MEMORY, "ovs-vswitchd", 60, True, True),
        (Purpose.STOP_RING, "", 2, False, False),
        (Purpose.STOP_RING, "dpdk-testpmd", 2, True, False),
        (Purpose.STOP_RING, "", 40, True, True),
    ],
)
def test_late(purpose: Purpose, command: str, seconds: int, late: bool, far: bool) -> None:
    row = row_of(purpose)

    assert is_late(row, command, seconds * SECOND) is late
    assert is_far_too_late(row, command, seconds * SECOND) is far


def test_a_frame_that_is_shown_in_a_hidden_window_is_never_late() -> None:
    row = next(row for row in UPSTREAM.messages if row.name == "DMABUF_UPDATE")

    assert not is_late(row, "", 3600 * SECOND)
    assert not is_far_too_late(row, "", 3600 * SECOND)


def test_a_message_that_the_table_does_not_know_is_answered_like_any_other() -> None:
    assert is_late(unknown_row(Channel.MAIN), "", 2 * SECOND)


def test_each_row_applies_somewhere() -> None:
    first = {(purpose, usual.commands): usual for usual in reversed(USUAL_TIMES) for purpose in usual.purposes}

    assert set(first.values()) == set(USUAL_TIMES)


@pytest.mark.parametrize(("command", "expected"), [("dpdk-vhost", True), ("reactor_0", True), ("virtiofsd", False)])
def test_programs_that_poll(command: str, expected: bool) -> None:
    assert polls(command) is expected
