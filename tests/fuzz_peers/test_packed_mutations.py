"""What is written into packed rings: it begins where the ring is, and everything in it is spoilt at some time."""

from random import Random

from tests.fuzz_peers.sessions import a_packed_session
from vudissect.fuzz.packed_mutations import packed_requests
from vudissect.fuzz.places import rings_after
from vudissect.fuzz.ring_mutations import use_a_ring
from vudissect.fuzz.steps import Kick, Message, Steps, Write, read_steps, text_of
from vudissect.rings.chain import PACKED_DESCRIPTOR, DescriptorFlag

_TIMES = 200
_SIZE = 16
_BASE = 3
_TURN = DescriptorFlag.AVAIL | DescriptorFlag.USED
(RING,) = rings_after(a_packed_session()[:-1])
SESSIONS = [packed_requests(RING, Random(seed)) for seed in range(_TIMES)]


def descriptors(steps: Steps) -> dict[int, tuple[int, int, int, int]]:
    """What is written into the ring, by place: address, length, id and flags."""
    return {
        (step.offset - RING.desc) // PACKED_DESCRIPTOR.size: PACKED_DESCRIPTOR.unpack(step.data)
        for step in steps
        if isinstance(step, Write) and 0 <= step.offset - RING.desc < _SIZE * PACKED_DESCRIPTOR.size
    }


ENTRIES = [entry for steps in SESSIONS for entry in descriptors(steps).values()]


def test_requests_begin_at_the_base_which_is_written_last() -> None:
    for steps in SESSIONS:
        assert list(descriptors(steps))[-1] == _BASE
        assert steps[-1] == Kick(RING.kick)


def test_most_descriptors_are_available_in_this_lap() -> None:
    available = [flags & _TURN == DescriptorFlag.AVAIL for *_, flags in ENTRIES]

    assert sum(available) > len(available) / 2


def test_wrap_counters_are_wrong_or_of_another_lap() -> None:
    assert {flags & _TURN for *_, flags in ENTRIES} == {0, DescriptorFlag.AVAIL, DescriptorFlag.USED, _TURN}


def test_ids_and_lengths_come_to_their_limits() -> None:
    assert {0x7FFF, 0xFFFF, _SIZE, _SIZE - 1} <= {number for _, _, number, _ in ENTRIES}
    lengths = {length for _, length, _, _ in ENTRIES}
    assert 0 in lengths
    assert max(lengths) >= 0x8000_0000


def test_addresses_are_outside_of_memory() -> None:
    assert {RING.guest + RING.length, (1 << 64) - 1} <= {address for address, *_ in ENTRIES}


def test_some_descriptors_are_tables_of_any_length() -> None:
    lengths = {length for _, length, _, flags in ENTRIES if flags & DescriptorFlag.INDIRECT}

    assert any(length % PACKED_DESCRIPTOR.size for length in lengths)
    assert any(length and not length % PACKED_DESCRIPTOR.size for length in lengths)


def test_a_chain_may_go_all_around() -> None:
    whole = [found for steps in SESSIONS if len(found := descriptors(steps)) == _SIZE]

    assert any(all(flags & DescriptorFlag.NEXT for *_, flags in found.values()) for found in whole)


def test_calls_are_wanted_where_there_is_no_descriptor_and_in_no_known_way() -> None:
    writes = [step for steps in SESSIONS for step in steps if isinstance(step, Write)]
    events = {step.data for step in writes if step.offset == RING.avail}

    assert any(int.from_bytes(data[:2], "little") & 0x7FFF >= _SIZE for data in events)
    assert any(int.from_bytes(data[2:], "little") > 2 for data in events)


def test_they_are_used_where_the_features_say_so() -> None:
    written = {
        len(step.data)
        for seed in range(20)
        for step in use_a_ring(a_packed_session()[:-1], Random(seed))
        if isinstance(step, Write) and step.offset == RING.desc + _BASE * PACKED_DESCRIPTOR.size
    }

    assert written == {PACKED_DESCRIPTOR.size}


def test_they_read_back_as_text() -> None:
    before = tuple(step.forget() if isinstance(step, Message) else step for step in a_packed_session()[:-1])

    assert read_steps(text_of(before + SESSIONS[0])) == before + SESSIONS[0]
