"""Which deviations are differences: each test plays one side against a peer that deviates in one thing."""

import pytest

from tests.replay.talks import LivePeer, play, records_of, told
from vudissect.compare.policy import IGNORED, How, Rule, override
from vudissect.replay import InMemory, Side, Trouble, replay, script_of

NEGOTIATION = (
    "F>B GET_FEATURES",
    "B>F GET_FEATURES -> INDIRECT_DESC PROTOCOL_FEATURES VERSION_1",
    "F>B GET_PROTOCOL_FEATURES",
    "B>F GET_PROTOCOL_FEATURES -> MQ REPLY_ACK CONFIG",
    "F>B SET_PROTOCOL_FEATURES all that was offered",
    "F>B SET_FEATURES all that was offered",
)
MEMORY = "F>B SET_MEM_TABLE 0+256M at 0x7f2bc3e00000 +mem#1 (memfd pc.ram 256M)"
ADDRESSES = "F>B SET_VRING_ADDR ring 0 desc region0+0x1000 avail region0+0x2000 used region0+0x3000"


def swapped(lines: tuple[str, ...], old: str, new: str) -> tuple[str, ...]:
    """The conversation with `old` replaced by `new` in the one line that has it."""
    assert sum(old in line for line in lines) == 1
    return tuple(line.replace(old, new) for line in lines)


def test_the_same_conversation_has_no_differences() -> None:
    outcome = play(NEGOTIATION)

    assert outcome.ok
    assert (outcome.sent, outcome.received) == (4, 2)


def test_a_missing_feature_is_a_difference() -> None:
    outcome = play(NEGOTIATION, swapped(NEGOTIATION, "INDIRECT_DESC PROTOCOL_FEATURES", "PROTOCOL_FEATURES"))

    (difference,) = outcome.differences
    assert (difference.frame, difference.field, difference.trouble) == (3, "features", Trouble.VALUE)
    assert isinstance(difference.expected, int)
    assert isinstance(difference.got, int)
    assert difference.expected ^ difference.got == 1 << 28


def test_an_additional_feature_is_a_difference_by_default() -> None:
    outcome = play(NEGOTIATION, swapped(NEGOTIATION, "MQ REPLY_ACK", "MQ LOG_SHMFD REPLY_ACK"))

    assert told(outcome) == [(5, "GET_PROTOCOL_FEATURES", "features")]


def test_an_additional_feature_passes_if_bits_may_be_added() -> None:
    may_add = override("GET_PROTOCOL_FEATURES.features", Rule(How.ADDED))

    outcome = play(NEGOTIATION, swapped(NEGOTIATION, "MQ REPLY_ACK", "MQ LOG_SHMFD REPLY_ACK"), overrides=[may_add])

    assert outcome.ok
    assert [(item.frame, item.field) for item in outcome.allowed] == [(5, "features")]


def test_a_missing_feature_is_a_difference_even_if_bits_may_be_added() -> None:
    may_add = override("GET_PROTOCOL_FEATURES.features", Rule(How.ADDED))

    outcome = play(NEGOTIATION, swapped(NEGOTIATION, "MQ REPLY_ACK", "REPLY_ACK"), overrides=[may_add])

    assert told(outcome) == [(5, "GET_PROTOCOL_FEATURES", "features")]


@pytest.mark.parametrize(("mask", "differences"), [(0x1, 0), (0x2, 1)])
def test_only_the_bits_of_a_mask_are_compared(mask: int, differences: int) -> None:
    masked = override("get_protocol_features.features", Rule(How.MASKED, mask))

    outcome = play(NEGOTIATION, swapped(NEGOTIATION, "MQ REPLY_ACK", "MQ LOG_SHMFD REPLY_ACK"), overrides=[masked])

    assert len(outcome.differences) == differences


CONFIG = (
    "F>B GET_CONFIG offset 0 size 8 contents=0000000000000000",
    "B>F GET_CONFIG -> offset 0 size 8 contents=3930000000000000",
)


def test_the_contents_of_the_configuration_are_compared() -> None:
    outcome = play(CONFIG, swapped(CONFIG, "3930", "4030"))

    assert told(outcome) == [(3, "GET_CONFIG", "contents")]


def test_the_room_for_the_configuration_in_a_request_is_ignored() -> None:
    outcome = play(CONFIG, swapped(CONFIG, "contents=0000000000000000", "contents=5555555555555555"), Side.BACK_END)

    assert outcome.ok
    assert [item.field for item in outcome.allowed] == ["contents"]


def test_a_reply_of_another_size_is_a_difference() -> None:
    outcome = play(CONFIG, (CONFIG[0], "B>F GET_CONFIG -> offset 0 size 4 contents=39300000"))

    assert [field for _, _, field in told(outcome)] == ["size", "contents"]


def test_an_empty_reply_is_reported_as_a_difference_of_size() -> None:
    outcome = play(CONFIG, (CONFIG[0], "B>F bytes 18000000 05000000 00000000"))

    assert told(outcome) == [(3, "GET_CONFIG", "payload_size")]


def test_a_flag_is_reported_by_name() -> None:
    outcome = play((MEMORY,), (f"{MEMORY} need_reply",), Side.BACK_END)

    (difference,) = outcome.differences
    assert (difference.field, difference.expected, difference.got) == ("flags.need_reply", 0, 1)


def test_the_user_address_of_memory_may_differ() -> None:
    outcome = play((MEMORY,), (MEMORY.replace("0x7f2bc3e00000", "0x7f99c3e00000"),), Side.BACK_END)

    assert outcome.ok
    assert [item.field for item in outcome.allowed] == ["regions.user_addr"]


def test_the_guest_address_of_memory_may_not_differ() -> None:
    outcome = play((MEMORY,), (MEMORY.replace("SET_MEM_TABLE 0+", "SET_MEM_TABLE 0x1000+"),), Side.BACK_END)

    assert told(outcome) == [(2, "SET_MEM_TABLE", "regions.guest_addr")]


def test_a_ring_may_be_elsewhere_in_memory() -> None:
    outcome = play((MEMORY, ADDRESSES), (MEMORY, ADDRESSES.replace("0x1000", "0x9000")), Side.BACK_END)

    assert outcome.ok
    assert [item.field for item in outcome.allowed] == ["desc"]


def test_a_ring_may_not_be_outside_memory() -> None:
    outcome = play((MEMORY, ADDRESSES), (MEMORY, ADDRESSES.replace("region0+0x1000", "0x1000")), Side.BACK_END)

    assert told(outcome) == [(3, "SET_VRING_ADDR", "desc")]


SLOTS = ("F>B GET_MAX_MEM_SLOTS", "B>F GET_MAX_MEM_SLOTS -> slots 32")


def test_more_memory_slots_are_enough() -> None:
    outcome = play(SLOTS, swapped(SLOTS, "slots 32", "slots 509"))

    assert outcome.ok
    assert [(item.field, item.expected, item.got, item.rule) for item in outcome.allowed] == [
        ("slots", 32, 509, "at least")
    ]


def test_a_memory_slot_less_is_a_difference() -> None:
    outcome = play(SLOTS, swapped(SLOTS, "slots 32", "slots 31"))

    assert told(outcome) == [(3, "GET_MAX_MEM_SLOTS", "slots")]


QUEUES = ("F>B GET_QUEUE_NUM", "B>F GET_QUEUE_NUM -> queues 2")


def test_more_queues_are_a_difference_by_default() -> None:
    assert told(play(QUEUES, swapped(QUEUES, "queues 2", "queues 4"))) == [(3, "GET_QUEUE_NUM", "queues")]


@pytest.mark.parametrize(("queues", "differences"), [(4, 0), (1, 1)])
def test_more_queues_pass_if_there_must_be_at_least_so_many(queues: int, differences: int) -> None:
    at_least = override("GET_QUEUE_NUM.queues", Rule(How.AT_LEAST))

    outcome = play(QUEUES, swapped(QUEUES, "queues 2", f"queues {queues}"), overrides=[at_least])

    assert len(outcome.differences) == differences


def own_memory(address: int, user_address: int | None = None) -> str:
    user = address if user_address is None else user_address
    return f"F>B SET_MEM_TABLE {address:#x}+256M at {user:#x} +mem#1 (memfd pc.ram 256M)"


def test_guest_addresses_that_are_the_own_addresses_of_the_front_end_may_differ() -> None:
    outcome = play((own_memory(0x7FAF57308000),), (own_memory(0x7F1234567000),), Side.BACK_END)

    assert outcome.ok
    assert {(item.field, item.rule) for item in outcome.allowed} == {
        ("regions.guest_addr", "related"),
        ("regions.user_addr", "related"),
    }


@pytest.mark.parametrize(
    ("recorded", "live"),
    [
        (own_memory(0x7FAF57308000), own_memory(0x7F1234567000, 0x7F1234568000)),
        (own_memory(0x7FAF57308000, 0x7FAF57309000), own_memory(0x7F1234567000)),
    ],
    ids=["recorded", "live"],
)
def test_guest_addresses_that_are_own_addresses_in_one_session_only_are_a_difference(recorded: str, live: str) -> None:
    outcome = play((recorded,), (live,), Side.BACK_END)

    assert told(outcome) == [(2, "SET_MEM_TABLE", "regions.guest_addr")]


def added(address: int, user_address: int | None = None, what: str = "ADD_MEM_REG") -> str:
    user = address if user_address is None else user_address
    descriptor = " +mem#1 (memfd ram 256M)" if what == "ADD_MEM_REG" else ""
    return f"F>B {what} {address:#x}+256M at {user:#x}{descriptor}"


def test_one_region_elsewhere_shows_that_guest_addresses_are_not_own_addresses() -> None:
    first = "F>B ADD_MEM_REG 0+256M at 0x7f0000000000 +mem#2 (memfd low 256M)"

    outcome = play((first, added(0x7FAF57308000)), (first, added(0x7F1234567000)), Side.BACK_END)

    assert told(outcome) == [(3, "ADD_MEM_REG", "guest_addr")]


def test_a_region_at_an_own_address_is_removed_there() -> None:
    recorded = (added(0x7FAF57308000), added(0x7FAF57308000, what="REM_MEM_REG"))
    live = (added(0x7F1234567000), added(0x7F1234567000, what="REM_MEM_REG"))

    assert play(recorded, live, Side.BACK_END).ok


def test_a_region_that_was_not_added_is_not_removed() -> None:
    recorded = (added(0x7FAF57308000), added(0x7FAF57308000, what="REM_MEM_REG"))
    live = (added(0x7F1234567000), added(0x7F1234568000, what="REM_MEM_REG"))

    assert told(play(recorded, live, Side.BACK_END)) == [(3, "REM_MEM_REG", "guest_addr")]


STOPPED = (
    "F>B SET_VRING_BASE ring 0 base 7",
    "F>B GET_VRING_BASE ring 0 base 0",
    "B>F GET_VRING_BASE -> ring 0 base 300",
)


def test_a_ring_may_stop_at_its_base_because_it_is_empty() -> None:
    assert play(STOPPED, swapped(STOPPED, "base 300", "base 7")).ok


def test_a_ring_may_not_stop_elsewhere() -> None:
    assert told(play(STOPPED, swapped(STOPPED, "base 300", "base 8"))) == [(4, "GET_VRING_BASE", "num")]


def stopped(features: str, position: int, base: int = 0, size: int = 256) -> tuple[str, ...]:
    """A ring that is given its base, and stopped at a position."""
    return (
        f"F>B SET_FEATURES {features}",
        f"F>B SET_VRING_NUM ring 0 num {size}",
        f"F>B bytes {words(10, 1, 8, 0, base)}",
        f"F>B bytes {words(11, 1, 8, 0, 0)}",
        f"B>F bytes {words(11, 5, 8, 0, position)}",
    )


def words(*numbers: int) -> str:
    return " ".join(number.to_bytes(4, "little").hex() for number in numbers)


def test_the_last_position_of_a_split_ring_passes_if_it_was_recorded() -> None:
    assert play(stopped("VERSION_1", 65535)).ok


def test_a_position_that_no_split_ring_has_is_a_difference_even_if_it_was_recorded() -> None:
    (difference,) = play(stopped("VERSION_1", 65536)).differences

    assert (difference.message, difference.field) == ("GET_VRING_BASE", "num")
    assert (difference.expected, difference.got) == ("at most 65535, as the ring is split", 65536)


def test_a_position_that_no_split_ring_has_is_a_difference_even_if_it_is_the_base() -> None:
    recorded, live = (stopped("VERSION_1", position, base=65536) for position in (300, 65536))

    assert told(play(recorded, live)) == [(6, "GET_VRING_BASE", "num")]


def test_such_a_position_passes_if_positions_are_ignored() -> None:
    assert play(stopped("VERSION_1", 65536), overrides=[override("GET_VRING_BASE.num", IGNORED)]).ok


def test_without_features_any_position_is_possible() -> None:
    assert play(stopped("VERSION_1", 65536)[1:]).ok


@pytest.mark.parametrize(
    "position",
    [
        0x80008000,  # the beginning
        0x80058005,  # idle
        0x80058009,  # four descriptors are in use
        0x80FF0001,  # avail has wrapped
        0x80058000 | 5 ^ 0x8000,  # avail is a whole round ahead
        0x00C0,  # DPDK leaves out the used half
    ],
    ids=hex,
)
def test_a_position_of_a_packed_ring_passes_if_it_was_recorded(position: int) -> None:
    assert play(stopped("RING_PACKED VERSION_1", position)).ok


@pytest.mark.parametrize(
    ("position", "expected"),
    [
        (0x81008000, "indices below 256, the size of the packed ring"),
        (0x80008100, "indices below 256, the size of the packed ring"),
        (0x80098005, "an avail index that is at most one round ahead of the used index"),
        (0x80050006, "an avail index that is at most one round ahead of the used index"),
    ],
)
def test_a_position_that_no_packed_ring_has_is_a_difference(position: int, expected: str) -> None:
    (difference,) = play(stopped("RING_PACKED VERSION_1", position)).differences

    assert (difference.field, difference.expected, difference.got) == ("num", expected, position)


def test_the_avail_half_of_the_base_is_enough_where_no_more_was_recorded() -> None:
    recorded, live = (stopped("RING_PACKED VERSION_1", position, base=0x80008000) for position in (0xC0, 0x8000))

    assert play(recorded, live).ok


def test_the_used_half_of_the_base_must_not_get_lost() -> None:
    recorded, live = (stopped("RING_PACKED VERSION_1", position, base=0x80008000) for position in (0x80058005, 0x8000))

    assert told(play(recorded, live)) == [(6, "GET_VRING_BASE", "num")]


def test_memory_of_another_size_is_a_difference() -> None:
    outcome = play((MEMORY,), (MEMORY.replace("pc.ram 256M", "pc.ram 128M"),), Side.BACK_END)

    assert told(outcome) == [(2, "SET_MEM_TABLE", "fds.size")]


def test_a_descriptor_of_another_kind_is_a_difference() -> None:
    outcome = play(("F>B SET_VRING_CALL ring 0 +evt#1",), ("F>B SET_VRING_CALL ring 0 +mem#1",), Side.BACK_END)

    assert told(outcome) == [(2, "SET_VRING_CALL", "fds.kind")]


def test_a_missing_descriptor_is_a_difference() -> None:
    outcome = play(("F>B SET_VRING_CALL ring 0 +evt#1",), ("F>B SET_VRING_CALL ring 0 nofd",), Side.BACK_END)

    assert told(outcome) == [(2, "SET_VRING_CALL", "nofd"), (2, "SET_VRING_CALL", "fds")]


def region(number: int, name: str) -> str:
    return f"F>B ADD_MEM_REG {number * 0x10000000:#x}+256M at {0x7F0000000000 + number * 0x10000000:#x} {name}"


def test_a_second_memfd_in_place_of_the_same_one_is_a_difference() -> None:
    again = (region(0, "+mem#1 (memfd ram 512M)"), region(1, "mem#1"))
    other = (region(0, "+mem#1 (memfd ram 512M)"), region(1, "+mem#2 (memfd ram 512M)"))

    assert told(play(again, other, Side.BACK_END)) == [(3, "ADD_MEM_REG", "fds.identity")]


def test_padding_is_ignored() -> None:
    recorded = "F>B bytes 05000000 01000000 08000000 00000000 00000000"
    outcome = play((recorded,), (recorded.replace("00000000 00000000", "00000000 ff55aa00"),), Side.BACK_END)

    assert outcome.ok
    assert [item.field for item in outcome.allowed] == ["padding"]


def test_an_allowed_field_is_listed_with_both_values() -> None:
    outcome = play(STOPPED, swapped(STOPPED, "base 300", "base 8"), overrides=[override("GET_VRING_*.num", IGNORED)])

    assert outcome.ok
    assert [(item.expected, item.got, item.rule) for item in outcome.allowed] == [(300, 8, "ignored")]


def test_a_message_without_a_row_is_compared_byte_by_byte() -> None:
    recorded = ("F>B message 99 payload=0102",)

    assert play(recorded, side=Side.BACK_END).ok
    assert told(play(recorded, ("F>B message 99 payload=0103",), Side.BACK_END)) == [(2, "message 99", "bytes")]


def test_bytes_of_a_long_message_that_were_not_kept_are_not_compared() -> None:
    records = records_of("F>B GET_CONFIG offset 0 size 8 contents=0102030405060708")
    kept = [record._replace(data=record.data[:28]) for record in records]
    peer = LivePeer(records, Side.FRONT_END)

    assert replay(script_of(kept, Side.BACK_END), InMemory(peer.hear, peer.speak())).ok
