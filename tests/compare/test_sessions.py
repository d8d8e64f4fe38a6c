"""What is different between two sessions: each test is a pair of conversations that differ in one thing."""

from tests.replay.talks import CLOSED, OPENED
from vudissect.analysis import Analysis
from vudissect.compare.captures import Part, by_connection, compare_captures
from vudissect.compare.distinction import Distinction, Place, What
from vudissect.conversation.text import read_conversation

NEGOTIATION = (
    "F>B GET_FEATURES",
    "B>F GET_FEATURES -> INDIRECT_DESC PROTOCOL_FEATURES VERSION_1",
    "F>B GET_PROTOCOL_FEATURES",
    "B>F GET_PROTOCOL_FEATURES -> MQ CONFIGURE_MEM_SLOTS REPLY_ACK",
    "F>B SET_PROTOCOL_FEATURES all that was offered",
    "F>B SET_FEATURES all that was offered",
)
MEMORY = "F>B SET_MEM_TABLE 0+256M at 0x7f2bc3e00000 +mem#1 (memfd pc.ram 256M)"
ELSEWHERE = "F>B SET_MEM_TABLE 0+256M at 0x7f0000000000 +mem#1 (memfd pc.ram 256M)"
RING = (
    "F>B SET_VRING_NUM ring 0 num 256",
    "F>B SET_VRING_BASE ring 0 base 0",
    "F>B SET_VRING_ADDR ring 0 desc region0+0x1000 avail region0+0x2000 used region0+0x3000",
    "F>B SET_VRING_KICK ring 0 +evt#1",
)
STOP = "F>B GET_VRING_BASE ring 0"
SESSION = (*NEGOTIATION, MEMORY, *RING)


def stopped_at(position: int) -> tuple[str, str]:
    return STOP, f"B>F GET_VRING_BASE -> ring 0 base {position}"


def parts(first: tuple[str, ...], second: tuple[str, ...]) -> list[Part]:
    both = ("\n".join(lines) for lines in (first, second))
    return compare_captures(
        *(
            by_connection((each for each, _ in Analysis(read_conversation(text).records, rules=())), 100)
            for text in both
        )
    )


def differences(first: tuple[str, ...], second: tuple[str, ...]) -> tuple[Distinction, ...]:
    (part,) = parts((OPENED, *first, CLOSED), (OPENED, *second, CLOSED))
    return part.compared.distinctions


def swapped(lines: tuple[str, ...], old: str, new: str) -> tuple[str, ...]:
    """The conversation with `old` replaced by `new` in the one line that has it."""
    assert sum(old in line for line in lines) == 1
    return tuple(line.replace(old, new) for line in lines)


def test_a_session_is_not_different_from_itself() -> None:
    assert differences(SESSION, SESSION) == ()


def test_addresses_of_another_process_are_not_different() -> None:
    assert differences(SESSION, (*NEGOTIATION, ELSEWHERE, *RING)) == ()


def test_where_memory_is_in_its_file_is_not_different() -> None:
    first, second = (
        (*NEGOTIATION, f"F>B SET_MEM_TABLE 0+1M at 0x7f2bc3e00000 file+{offset} +mem#1 (memfd uml {size})")
        for offset, size in (("0x10000", "2M"), ("0x20000", "3M"))
    )

    assert differences(first, second) == ()


def test_another_number_of_equal_questions_in_a_row_is_not_different() -> None:
    polled = ("F>B GET_QUEUE_NUM", "B>F GET_QUEUE_NUM -> queues 2")

    assert differences((*NEGOTIATION, *polled), (*NEGOTIATION, *polled, *polled, *polled)) == ()


def test_how_far_a_guest_got_is_not_different() -> None:
    first, second = (
        (*SESSION, *stopped_at(position), f"F>B SET_VRING_BASE ring 0 base {position}") for position in (0, 17)
    )

    assert differences(first, second) == ()


def test_a_ring_that_starts_over_is_different_from_one_that_goes_on() -> None:
    first, second = ((*SESSION, *stopped_at(9), f"F>B SET_VRING_BASE ring 0 base {base}") for base in (9, 0))

    (found,) = differences(first, second)
    assert (found.messages, found.field, found.before, found.after) == (
        ("SET_VRING_BASE",),
        "num",
        "where it stopped",
        "0",
    )


def test_a_value_is_different() -> None:
    (found,) = differences(SESSION, swapped(SESSION, "num 256", "num 128"))

    assert (found.messages, found.rings, found.field, found.before, found.after) == (
        ("SET_VRING_NUM",),
        (0,),
        "num",
        256,
        128,
    )


def test_the_same_for_several_rings_is_one_difference() -> None:
    def both(size: int) -> tuple[str, ...]:
        return (*NEGOTIATION, *(f"F>B SET_VRING_NUM ring {ring} num {size}" for ring in (0, 1, 2)))

    (found,) = differences(both(256), both(128))
    assert found.rings == (0, 1, 2)


def test_a_feature_that_is_missing_comes_before_what_follows_from_it() -> None:
    slots = ("F>B GET_MAX_MEM_SLOTS", "B>F GET_MAX_MEM_SLOTS -> slots 32")
    lacking = swapped(NEGOTIATION, "MQ CONFIGURE_MEM_SLOTS", "MQ")
    found = differences(
        ("F>B SET_VRING_NUM ring 0 num 256", *NEGOTIATION, *slots), ("F>B SET_VRING_NUM ring 0 num 128", *lacking)
    )

    assert [(each.messages, each.because) for each in found] == [
        (("GET_PROTOCOL_FEATURES answer",), 0),
        (("SET_PROTOCOL_FEATURES",), 1),
        (("GET_MAX_MEM_SLOTS",), 1),
        (("SET_VRING_NUM",), 0),
    ]


def test_a_message_that_only_one_has_does_not_disturb_the_others() -> None:
    (found,) = differences((*NEGOTIATION, MEMORY, *RING), (*NEGOTIATION, "F>B SET_OWNER", MEMORY, *RING))

    assert (found.what, found.messages, found.before, found.after) == (What.ADDED, ("SET_OWNER",), 0, 1)


def test_a_message_that_one_repeats_is_counted() -> None:
    (found,) = differences(SESSION, (*NEGOTIATION, MEMORY, MEMORY.partition(" (")[0], *RING))

    assert (found.what, found.before, found.after) == (What.TIMES, 1, 2)


def test_a_message_in_another_place_is_moved() -> None:
    (found,) = differences(
        (*NEGOTIATION, "F>B SET_OWNER", MEMORY, *RING), (*NEGOTIATION, MEMORY, *RING, "F>B SET_OWNER")
    )

    assert (found.what, found.messages) == (What.MOVED, ("SET_OWNER",))


def test_a_session_that_ends_early_is_one_difference_and_not_one_for_each_message() -> None:
    found = differences((*SESSION, *stopped_at(0)), NEGOTIATION)

    assert [(each.place, each.before, each.after) for each in found] == [
        (Place.REST, "SET_MEM_TABLE and 5 messages more", "nothing more")
    ]


def test_an_answer_that_never_came_is_different() -> None:
    (found,) = differences((*SESSION, *stopped_at(0)), (*SESSION, STOP))

    assert (found.what, found.messages) == (What.MISSING, ("GET_VRING_BASE answer",))


def test_who_closed_the_connection_is_different() -> None:
    ((found,),) = (
        part.compared.distinctions
        for part in parts((OPENED, *SESSION, CLOSED), (OPENED, *SESSION, "--- closed by back-end"))
    )

    assert (found.field, found.before, found.after) == (
        "end",
        "closed by the front-end (eof)",
        "closed by the back-end (eof)",
    )


def test_what_was_not_recorded_is_not_missing() -> None:
    (part,) = parts((OPENED, *NEGOTIATION, *RING[:2], CLOSED), (*RING[:2], CLOSED))

    assert [each for each in part.compared.distinctions if each.what in (What.MISSING, What.ADDED)] == []


def test_an_answer_whose_request_was_not_recorded_is_not_a_message_more() -> None:
    (part,) = parts((OPENED, *NEGOTIATION, *RING[:2], CLOSED), (NEGOTIATION[3], *RING[:2], CLOSED))

    assert part.compared.distinctions == ()


def test_an_answer_to_nothing_is_a_message_more() -> None:
    (found,) = differences(SESSION, (*SESSION, "B>F GET_QUEUE_NUM -> queues 1"))

    assert (found.messages, found.what) == (("GET_QUEUE_NUM",), What.ADDED)


def test_connections_are_compared_in_their_order() -> None:
    first = (OPENED, *NEGOTIATION, CLOSED)
    again = (OPENED, *swapped(NEGOTIATION, "INDIRECT_DESC ", ""), CLOSED)

    found = parts((*first, *first), (*again, *first))
    assert [len(part.compared.distinctions) for part in found] == [2, 0]


def test_a_connection_that_only_one_has_is_a_difference() -> None:
    first = (OPENED, *NEGOTIATION, CLOSED)

    _, lone = parts(first, (*first, *first))
    assert (lone.first, lone.second) == (0, 1)
    assert [each.what for each in lone.compared.distinctions] == [What.ADDED]
