"""Which connections of two captures are compared with each other."""

from tests.conversation import Conversation
from vudissect.analysis import Analysis
from vudissect.compare.captures import Part, by_connection, compare_captures
from vudissect.conversation.text import read_conversation


def compared(first: list[str], second: list[str]) -> list[Part]:
    """Two captures with connections of devices with these ids, "" for none."""
    return compare_captures(
        *(by_connection((event for event, _ in Analysis(talk(ids).records)), 100) for ids in (first, second))
    )


def talk(ids: list[str]) -> Conversation:
    talk = Conversation()
    for number, name in enumerate(ids, 1):
        talk.open(connection=number, device_id=name)
        talk.front_end("GET_FEATURES", connection=number)
    return talk


def pairs(first: list[str], second: list[str]) -> list[tuple[int, int]]:
    return [(part.first, part.second) for part in compared(first, second)]


def test_connections_without_a_device_are_pairs_in_their_order() -> None:
    assert pairs(["", ""], ["", "", ""]) == [(1, 1), (2, 2), (0, 3)]


def test_connections_of_a_device_are_pairs_whichever_came_first() -> None:
    assert pairs(["disk0", "net0"], ["net0", "disk0"]) == [(1, 2), (2, 1)]


def test_a_device_that_connects_again_is_paired_in_that_order() -> None:
    assert pairs(["disk0", "disk0"], ["net0", "disk0", "disk0"]) == [(1, 2), (2, 3), (0, 1)]


def test_devices_with_other_names_are_pairs_in_their_order() -> None:
    assert pairs(["disk0", "net0"], ["virtio-disk0", "net0"]) == [(1, 1), (2, 2)]


def test_a_part_has_the_devices() -> None:
    assert [part.devices for part in compared(["disk0"], ["disk0", "net0"])] == [("disk0", "disk0"), ("", "net0")]


def told(first: str, second: str) -> list[tuple[tuple[str, ...], str]]:
    """The differences of two conversations."""
    connections = [
        by_connection((event for event, _ in Analysis(read_conversation(text).records)), 100)
        for text in (first, second)
    ]
    (part,) = compare_captures(*connections)
    return [(each.messages, each.what.value) for each in part.compared.distinctions]


def test_sessions_are_compared_as_they_were_delivered() -> None:
    start = "--- connection front-end=qemu back-end=disk\nF>B SET_OWNER\n"
    plain = f"{start}F>B SET_VRING_NUM ring 0 num 64\nF>B GET_FEATURES\nB>F GET_FEATURES -> VERSION_1"
    changed = (
        f"{start}F>B SET_VRING_NUM ring 0 num 64 NOT FORWARDED, WITHHELD\n"
        "F>B SET_VRING_NUM ring 0 num 64 INJECTED\n"
        "F>B GET_FEATURES NOT FORWARDED, WITHHELD\n"
        "B>F GET_FEATURES -> VERSION_1 INJECTED"
    )

    assert told(plain, changed) == []
    assert told(plain, plain.replace("num 64", "num 64 NOT FORWARDED, WITHHELD")) == [(("SET_VRING_NUM",), "missing")]
