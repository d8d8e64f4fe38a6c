"""What is seen of the sessions before and after a fault."""

from typing import Any

from tests.conversation import SECOND, Conversation, eventfd
from vudissect.capture.record import Mark, RecordKind
from vudissect.faults.engine import Engine
from vudissect.faults.language import read_fault
from vudissect.protocol.features import VIRTIO_FEATURES
from vudissect.protocol.model import Side
from vudissect.proxy.faulting import Call, Deliver, HangUp, Offer
from vudissect.scenario.watch import Seen, Watch

FEATURES = VIRTIO_FEATURES.mask("VERSION_1")
FAULT: dict[str, Any] = {"fault": 1, "text": "SET_OWNER : drop", "outcome": "injected", "alters": 1}


def set_up(said: Conversation, connection: int = 1) -> None:
    """Without protocol features a ring is enabled from its start."""
    said.open("qemu", "disk", connection)
    said.front_end("SET_OWNER", connection=connection)
    said.front_end("SET_FEATURES", features=FEATURES, connection=connection)
    said.front_end("SET_VRING_NUM", index=0, num=64, connection=connection)
    said.front_end("SET_VRING_KICK", index=0, descriptors=(eventfd(1),), connection=connection)
    said.front_end("SET_VRING_NUM", index=1, num=64, connection=connection)


def seen(said: Conversation, wanted: frozenset[int] = frozenset({0})) -> Seen:
    watch = Watch(Engine([]), wanted)
    for record in said.records:
        watch.see(record)
    return watch.seen


def test_a_set_up_ends_with_the_message_after_which_all_rings_run() -> None:
    said = Conversation()
    set_up(said)

    whole = seen(said)
    assert [str(step) for step in whole.steps[: whole.complete]] == [
        "SET_OWNER",
        "SET_FEATURES",
        "SET_VRING_NUM ring 0",
        "SET_VRING_KICK ring 0",
    ]
    assert (whole.running, whole.open, whole.fault, whole.again) == (frozenset({0}), 1, 0, 0)


def test_rings_run_again_in_the_session_after_the_fault() -> None:
    said = Conversation()
    said.open("qemu", "disk")
    said.event(RecordKind.FAULT, **FAULT)
    said.close("back-end", "fault 1")
    said.silence(2 * SECOND)
    set_up(said, connection=2)

    after = seen(said)
    assert (after.sessions, after.open, (after.again - after.fault) // SECOND) == (1, 1, 2)


def test_rings_that_run_until_the_fault_closes_the_connection_do_not_count() -> None:
    said = Conversation()
    said.event(RecordKind.FAULT, **FAULT)
    set_up(said)
    assert seen(said).again > 0

    said.close("front-end", "fault 1")

    assert (seen(said).again, seen(said).open) == (0, 0)


def test_fewer_rings_than_without_a_fault_do_not_count() -> None:
    said = Conversation()
    said.event(RecordKind.FAULT, **FAULT)
    set_up(said)

    assert seen(said).again > 0
    assert seen(said, frozenset({0, 1})).again == 0


def test_another_fault_starts_the_clock_again() -> None:
    said = Conversation()
    said.event(RecordKind.FAULT, **FAULT)
    set_up(said)
    said.event(RecordKind.FAULT, **FAULT)

    after = seen(said)
    assert (after.again, after.sessions, after.first_fault < after.fault) == (0, 0, True)


def test_the_side_whose_connection_a_fault_closes_is_killed_when_what_it_got_before_has_arrived() -> None:
    said = Conversation()
    said.open("qemu", "disk")
    said.front_end("SET_OWNER")
    killed: list[Side] = []
    watch = Watch(Engine([read_fault("SET_OWNER : close front-end after")]), frozenset(), killed.append)
    owner = said.records[-1]

    steps = watch.decide(Offer(1, owner.channel, owner.sender, owner.data, 0, owner.received, "little", ()))
    deliver, call, hang_up = steps[1:]

    assert (deliver, killed) == (Deliver(), [])
    assert isinstance(call, Call)
    call.act()
    assert (killed, hang_up) == ([Side.FRONT_END], HangUp(Side.FRONT_END, 1))


def test_a_side_that_hangs_up_because_no_answer_comes_had_waited_for_it() -> None:
    said = Conversation()
    said.event(RecordKind.FAULT, **FAULT)
    said.open("qemu", "disk")
    said.front_end("GET_FEATURES")
    said.close("front-end")

    assert seen(said).gave_up == "the front-end waits for the answer to GET_FEATURES"


def test_a_side_that_crashes_over_a_request_did_not_wait() -> None:
    said = Conversation()
    said.event(RecordKind.FAULT, **FAULT)
    said.open("qemu", "disk")
    said.front_end("GET_FEATURES")
    said.close("back-end")

    assert (seen(said).gave_up, seen(said).closed) == ("", "the back-end closed it (eof)")


def test_a_side_does_not_wait_for_the_answer_to_a_request_that_a_fault_sent() -> None:
    said = Conversation()
    said.open("qemu", "disk")
    said.event(RecordKind.FAULT, **FAULT)
    said.front_end("GET_FEATURES", marks=int(Mark.INJECTED))
    watch = Watch(Engine([]), frozenset())
    for record in said.records:
        watch.see(record)

    assert watch.waits == ""
