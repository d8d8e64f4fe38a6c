"""Whatever a capture claims about a descriptor, message or region: it is created, or its frame is reported."""

from collections.abc import Iterable

import pytest

from tests.conversation import eventfd, memfd
from tests.replay.talks import records_of
from vudissect.capture.record import Record
from vudissect.host.descriptor import Descriptor, DescriptorKind
from vudissect.replay import InMemory, Outcome, RawMessage, Side, Trouble, replay, script_of

KICK = "F>B SET_VRING_KICK ring 0 +evt#1"


def played(records: Iterable[Record]) -> tuple[Outcome, list[RawMessage]]:
    heard: list[RawMessage] = []

    def hear(raw: RawMessage) -> list[RawMessage]:
        heard.append(raw)
        return []

    return replay(script_of(records, Side.FRONT_END), InMemory(hear)), heard


def with_descriptors(*descriptors: Descriptor) -> list[Record]:
    return [record._replace(descriptors=descriptors) if record.data else record for record in records_of(KICK)]


@pytest.mark.parametrize("kind", DescriptorKind, ids=lambda kind: kind.label)
@pytest.mark.parametrize("size", [0, 1 << 62, (1 << 63) - 1])
def test_every_kind_and_size_is_created_or_reported(kind: DescriptorKind, size: int) -> None:
    outcome, heard = played(with_descriptors(Descriptor(kind, "x", size, 4096, 0, 2, "/memfd:a\0b (deleted)")))

    if outcome.ok:
        assert [len(raw.descriptors) for raw in heard] == [1]
    else:
        (difference,) = outcome.differences
        assert (difference.trouble, difference.frame) == (Trouble.UNREACHED, 2)
        assert str(difference.got).startswith("cannot create a descriptor: ")


def test_memory_of_impossible_size_is_reported_with_its_frame() -> None:
    outcome, _ = played(with_descriptors(memfd("ram", 1 << 63)))

    assert [(each.frame, each.got) for each in outcome.differences] == [
        (2, "cannot create a descriptor: File too large")
    ]


def test_as_many_descriptors_as_one_message_can_have_are_passed() -> None:
    outcome, heard = played(with_descriptors(*map(eventfd, range(253))))

    assert outcome.ok
    assert len(set(heard[0].descriptors)) == 253


def test_a_message_of_four_gigabytes_is_not_made() -> None:
    records = [record._replace(length=(1 << 32) - 1) if record.data else record for record in records_of(KICK)]

    outcome, heard = played(records)

    assert heard == []
    assert [(each.frame, each.got) for each in outcome.differences] == [
        (2, "cannot make a message of 4294967295 bytes")
    ]


@pytest.mark.parametrize("file_offset", [(1 << 63) - 0x1000, 1 << 63, (1 << 64) - 0x4000], ids=hex)
def test_a_ring_beyond_the_end_of_any_file_is_not_written(file_offset: int) -> None:
    outcome, heard = played(
        records_of(
            f"F>B SET_MEM_TABLE region0 0+64M at 0x7f0000000000 file+{file_offset:#x} +mem#1 (memfd ram 64M)",
            "F>B SET_VRING_NUM ring 0 num 256",
            "F>B SET_VRING_BASE ring 0 base 0",
            "F>B SET_VRING_ADDR ring 0 desc region0+0x1000 avail region0+0x2000 used region0+0x3000",
            KICK,
        )
    )

    assert outcome.ok
    assert len(heard) == 5
    assert outcome.remarks == ["ring 0 cannot be written to the memory: File too large"]
