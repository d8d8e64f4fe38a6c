"""VU-VRG-23: whether the parts of rings fit beside each other."""

from tests.conversation import Conversation, eventfd
from tests.lint import found
from tests.lint.opening import opened
from vudissect.lint.finding import Blame, Finding, Severity


def only(talk: Conversation) -> Finding:
    (finding,) = found(talk, "VU-VRG-23")
    return finding


def ring(talk: Conversation, index: int, num: int, desc: int, avail: int, used: int) -> None:
    talk.front_end("SET_VRING_NUM", index=index, num=num)
    talk.front_end("SET_VRING_ADDR", index=index, desc=desc, avail=avail, used=used)
    talk.front_end("SET_VRING_KICK", index=index, descriptors=(eventfd(f"kick{index}"),))


def test_the_size_of_the_device_and_the_addresses_of_the_driver() -> None:
    talk = opened()
    ring(talk, 0, 128, 0x1000, 0x1100, 0x1140)

    finding = only(talk)

    assert (finding.severity, finding.blame, finding.frame) == (Severity.ERROR, Blame.FRONT_END, 10)
    assert "with 128 entries, desc of ring 0 (0x1000 to 0x1800) overlaps avail at 0x1100" in finding.message
    assert "the addresses fit a ring of 16" in finding.message


def test_parts_that_touch() -> None:
    talk = opened()
    ring(talk, 0, 128, 0x1000, 0x1800, 0x1904)

    assert found(talk, "VU-VRG-23") == []


def test_no_size_fits() -> None:
    talk = opened()
    ring(talk, 0, 128, 0x1000, 0x1000, 0x1000)

    assert "fit" not in only(talk).message


def test_the_used_part_of_one_ring_in_the_descriptors_of_another() -> None:
    talk = opened()
    ring(talk, 0, 128, 0x1000, 0x1800, 0x2000)
    ring(talk, 1, 128, 0x2100, 0x3000, 0x4000)

    finding = only(talk)

    assert finding.frames == (10,)
    assert "desc of ring 1 (0x2100 to 0x2900) overlaps used of ring 0 (0x2000 to 0x2404)" in finding.message


def test_the_place_of_a_ring_that_was_stopped_is_free() -> None:
    talk = opened()
    ring(talk, 0, 128, 0x1000, 0x1800, 0x2000)
    talk.ask("GET_VRING_BASE", index=0, num=0)
    ring(talk, 1, 128, 0x2100, 0x3000, 0x4000)

    assert found(talk, "VU-VRG-23") == []


def test_a_ring_that_moves_does_not_overlap_where_it_was() -> None:
    talk = opened()
    ring(talk, 0, 128, 0x1000, 0x1800, 0x2000)
    ring(talk, 0, 128, 0x1100, 0x1900, 0x2100)

    assert found(talk, "VU-VRG-23") == []


def test_a_packed_ring_has_short_parts() -> None:
    talk = opened(features=("PROTOCOL_FEATURES", "VERSION_1", "RING_PACKED"))
    ring(talk, 0, 128, 0x1000, 0x1800, 0x1804)

    assert found(talk, "VU-VRG-23") == []
