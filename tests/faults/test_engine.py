"""What a fault makes of a message, without sockets: a message is offered, steps come back."""

from collections.abc import Sequence
from typing import Any

import pytest

from tests.conversation import Conversation, eventfd, memfd
from vudissect.capture.record import Record, RecordKind
from vudissect.faults.engine import Engine
from vudissect.faults.language import read_fault
from vudissect.host.descriptor import Descriptor, DescriptorKind
from vudissect.protocol.features import PROTOCOL_FEATURES, VIRTIO_FEATURES
from vudissect.protocol.model import Channel, Side
from vudissect.proxy.faulting import (
    Deliver,
    Fresh,
    HangUp,
    Inject,
    Offer,
    Report,
    Stall,
    Step,
    StopReading,
    Throttle,
    Withhold,
    WithNext,
)
from vudissect.wire.header import HEADER_SIZE

FEATURES = VIRTIO_FEATURES.mask("VERSION_1", "PROTOCOL_FEATURES")
OFFERED = PROTOCOL_FEATURES.mask("MQ", "REPLY_ACK")
REGIONS = [{"guest_addr": 0, "size": 1 << 20, "user_addr": 0x7F00_0000_0000}]
INF = float("inf")


def negotiated() -> Conversation:
    said = Conversation()
    said.open("qemu", "disk")
    said.front_end("GET_FEATURES")
    said.back_end("GET_FEATURES", features=FEATURES)
    said.front_end("GET_PROTOCOL_FEATURES")
    said.back_end("GET_PROTOCOL_FEATURES", features=OFFERED)
    said.front_end("SET_PROTOCOL_FEATURES", features=OFFERED)
    said.front_end("SET_FEATURES", features=FEATURES)
    return said


def offer(record: Record) -> Offer:
    return Offer(1, record.channel, record.sender, record.data, 0, record.received, "little", record.descriptors)


class Talk:
    """An engine that has seen a negotiation, and what it makes of messages."""

    def __init__(self, *faults: str) -> None:
        self.engine = Engine([read_fault(text, number) for number, text in enumerate(faults, 1)])
        self._said = negotiated()
        for record in self._said.records:
            self.engine.see(record)

    def open(self, channel: Channel) -> None:
        self._said.event(RecordKind.CHANNEL_OPENED, channel)
        self.engine.see(self._said.records[-1])

    def message(self, *words: object, side: Side = Side.FRONT_END, **options: object) -> Offer:
        self._said.say(side, *words, **options)  # type: ignore[arg-type]
        return offer(self._said.records[-1])

    def report(self, steps: Sequence[Step]) -> None:
        """What a relay records of them."""
        for step in steps:
            if isinstance(step, Report):
                self._said.event(RecordKind.FAULT, **dict[str, Any](step.details))
                self.engine.see(self._said.records[-1])

    def steps(self, *words: object, side: Side = Side.FRONT_END, **options: object) -> list[Step]:
        """What is done with a message, without the reports of what was injected."""
        steps = self.engine.decide(self.message(*words, side=side, **options))
        return [step for step in steps if not (isinstance(step, Report) and step.details["outcome"] == "injected")]


def reasons(steps: Sequence[Step]) -> list[object]:
    return [step.details.get("reason") for step in steps if isinstance(step, Report)]


def injected(steps: Sequence[Step]) -> Inject:
    (step,) = (step for step in steps if isinstance(step, Inject))
    return step


def num(steps: Sequence[Step]) -> int:
    return int.from_bytes(injected(steps).data[HEADER_SIZE + 4 : HEADER_SIZE + 8], "little")


def test_a_message_that_no_fault_is_about_is_passed_on() -> None:
    assert Talk("SET_VRING_NUM and ring=1 : drop").steps("SET_VRING_NUM", index=0, num=64) == []


def test_what_is_done_is_reported() -> None:
    talk = Talk("SET_VRING_NUM : drop")
    (report, withhold) = talk.engine.decide(talk.message("SET_VRING_NUM", index=0, num=64))

    assert withhold == Withhold()
    assert isinstance(report, Report)
    assert dict(report.details) == {
        "fault": 1,
        "text": "SET_VRING_NUM : drop",
        "outcome": "injected",
        "action": "drop",
        "message": "SET_VRING_NUM",
        "from": "front-end",
        "alters": 1,
    }


@pytest.mark.parametrize(
    ("action", "step"),
    [
        ("delay 100ms", Deliver(0.1)),
        ("delay 100ms, delay 1s", Deliver(1.1)),
        ("split 5", Deliver(cut=5, pause=0.05)),
        ("split 5 1s", Deliver(cut=5, pause=1.0)),
        ("drop", Withhold()),
    ],
)
def test_actions_on_one_message(action: str, step: Step) -> None:
    assert Talk(f"SET_VRING_NUM : {action}").steps("SET_VRING_NUM", index=0, num=64) == [step]


@pytest.mark.parametrize(
    ("action", "step"),
    [
        ("close back-end after", HangUp(Side.BACK_END, 1)),
        ("half-close front-end after", HangUp(Side.FRONT_END, 1, half=True)),
        ("stop-reading 2s", StopReading(2.0)),
        ("throttle 10/s", Throttle(10)),
    ],
)
def test_actions_after_a_message(action: str, step: Step) -> None:
    assert Talk(f"SET_VRING_NUM : {action}").steps("SET_VRING_NUM", index=0, num=64) == [Deliver(), step]


@pytest.mark.parametrize(
    ("action", "step"),
    [("stall", Stall(INF, both=True)), ("stall 2s", Stall(2.0, True)), ("stall one-way", Stall(INF, both=False))],
)
def test_a_channel_is_stalled_before_the_message(action: str, step: Step) -> None:
    assert Talk(f"SET_VRING_NUM : {action}").steps("SET_VRING_NUM", index=0, num=64) == [step, Deliver()]


def test_a_side_closes_instead_of_the_message() -> None:
    steps = Talk("SET_VRING_NUM : close back-end").steps("SET_VRING_NUM", index=0, num=64)

    assert steps == [Withhold(), HangUp(Side.BACK_END, 1)]


def test_jitter_is_random_and_the_same_in_each_run() -> None:
    def delays(seed: int) -> list[Step]:
        talk = Talk(f"SET_VRING_NUM : jitter 10ms 20ms ; seed={seed}")
        return [step for _ in range(3) for step in talk.steps("SET_VRING_NUM", index=0, num=64)]

    times = [step.delay for step in delays(1) if isinstance(step, Deliver)]
    assert len({*times}) == 3
    assert all(0.01 <= time <= 0.02 for time in times)
    assert delays(1) == delays(1) != delays(2)


def test_fields_are_set_by_name() -> None:
    steps = Talk("SET_VRING_NUM : set num=63 index=5").steps("SET_VRING_NUM", index=0, num=64)

    assert steps[0] == Withhold()
    assert injected(steps).data[HEADER_SIZE:] == bytes([5, 0, 0, 0, 63, 0, 0, 0])


def test_a_field_of_one_entry_or_of_all() -> None:
    regions = [{"guest_addr": place << 20, "size": 1 << 20, "user_addr": place << 32} for place in (1, 2)]

    def sizes(text: str) -> list[int]:
        steps = Talk(f"SET_MEM_TABLE : set {text}").steps("SET_MEM_TABLE", regions=regions)
        payload = injected(steps).data[HEADER_SIZE:]
        return [int.from_bytes(payload[start + 8 : start + 16], "little") for start in (8, 40)]

    assert (sizes("regions[1].size=7"), sizes("regions.size=7")) == ([1 << 20, 7], [7, 7])


def test_the_header_can_be_changed() -> None:
    steps = Talk("SET_VRING_NUM : set header.id=4 header.size=100").steps("SET_VRING_NUM", index=0, num=64)

    assert injected(steps).data[:HEADER_SIZE] == bytes([4, 0, 0, 0, 1, 0, 0, 0, 100, 0, 0, 0])


def test_a_flag_is_inverted() -> None:
    steps = Talk("SET_VRING_NUM : flip need_reply, flip 31").steps("SET_VRING_NUM", index=0, num=64)

    assert injected(steps).data[4:8] == bytes([9, 0, 0, 0x80])


def test_a_payload_is_shortened_with_its_size() -> None:
    steps = Talk("SET_VRING_NUM : truncate 4").steps("SET_VRING_NUM", index=1, num=64)

    assert injected(steps).data[8:] == bytes([4, 0, 0, 0, 1, 0, 0, 0])


@pytest.mark.parametrize(
    ("action", "word"),
    [
        ("mask REPLY_ACK", PROTOCOL_FEATURES.mask("MQ")),
        ("mask REPLY_ACK 0", 0),
        ("unmask CONFIG", OFFERED | PROTOCOL_FEATURES.mask("CONFIG")),
        ("mask MQ, unmask 40", PROTOCOL_FEATURES.mask("REPLY_ACK") | 1 << 40),
    ],
)
def test_feature_bits(action: str, word: int) -> None:
    talk = Talk(f"GET_PROTOCOL_FEATURES and kind=reply : {action}")
    steps = talk.steps("GET_PROTOCOL_FEATURES", side=Side.BACK_END, features=OFFERED)

    assert int.from_bytes(injected(steps).data[HEADER_SIZE:], "little") == word


def test_a_message_comes_twice_with_its_descriptors() -> None:
    talk = Talk("SET_VRING_KICK : duplicate")
    steps = talk.steps("SET_VRING_KICK", index=0, descriptors=(eventfd(1),))

    assert steps[0] == Deliver()
    assert injected(steps).passing == (0,)


@pytest.mark.parametrize(
    ("action", "passing"),
    [
        ("withhold-fd", ()),
        ("withhold-fd 1", (0,)),
        ("add-fd socket", (0, 1, Fresh(DescriptorKind.SOCKET, 1 << 20))),
        ("replace-fd", (Fresh(DescriptorKind.MEMFD, 4096), 1)),
        ("replace-fd 1 pipe", (0, Fresh(DescriptorKind.PIPE, 8192))),
        ("close-fd", (Fresh(DescriptorKind.MEMFD, hung_up=True), 1)),
        ("swap-fds", (Fresh(DescriptorKind.EVENTFD), Fresh(DescriptorKind.EVENTFD))),
    ],
)
def test_descriptors(action: str, passing: tuple[object, ...]) -> None:
    talk = Talk(f"SET_MEM_TABLE : {action}")
    steps = talk.steps("SET_MEM_TABLE", regions=REGIONS * 2, descriptors=(memfd(size=4096), memfd(size=8192)))

    assert injected(steps).passing == passing


def test_an_answer_in_the_place_of_the_receiver() -> None:
    steps = Talk("SET_VRING_NUM : nack 5").steps("SET_VRING_NUM", index=0, num=64, need_reply=True)

    answer = bytes([8, 0, 0, 0, 5, 0, 0, 0, 8, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0])
    assert steps == [Withhold(), Inject(Channel.MAIN, Side.BACK_END, answer)]


def test_an_answer_becomes_another() -> None:
    steps = Talk("SET_VRING_NUM and kind=ack : ack").steps("SET_VRING_NUM", side=Side.BACK_END, ack=1)

    assert injected(steps).data[HEADER_SIZE:] == bytes(8)


def test_an_answer_without_contents() -> None:
    steps = Talk("GET_CONFIG : error").steps("GET_CONFIG", offset=0, size=60)

    assert (injected(steps).sender, injected(steps).data[8:]) == (Side.BACK_END, bytes(4))


def test_another_message_comes_before_or_after() -> None:
    request = bytes([3, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0])
    owner = Inject(Channel.MAIN, Side.FRONT_END, request)

    assert [
        Talk(f"SET_VRING_NUM : insert SET_OWNER {words}").steps("SET_VRING_NUM", index=0, num=64)
        for words in ("need_reply", "before need_reply")
    ] == [[Deliver(), owner], [owner, Deliver()]]


def test_a_message_may_be_inserted_on_another_channel_that_is_open() -> None:
    talk = Talk("SET_VRING_NUM : insert CONFIG_CHANGE_MSG")
    assert reasons(talk.steps("SET_VRING_NUM", index=0, num=64)) == ["the backend channel is not open"]

    talk.open(Channel.BACKEND)
    steps = talk.steps("SET_VRING_NUM", index=0, num=64)

    assert (injected(steps).channel, injected(steps).sender) == (Channel.BACKEND, Side.BACK_END)


def test_a_message_may_be_inserted_after_the_one_that_opens_its_channel() -> None:
    def made(words: str) -> list[object]:
        talk = Talk(f"SET_BACKEND_REQ_FD : insert CONFIG_CHANGE_MSG {words}")
        return reasons(talk.steps("SET_BACKEND_REQ_FD", descriptors=(Descriptor(DescriptorKind.SOCKET),)))

    assert (made(""), made("before")) == ([], ["the backend channel is not open"])


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("ack", "its sender waits for no answer: NEED_REPLY is not set, or REPLY_ACK is not in effect"),
        ("withhold-fd", "it carries no descriptors"),
        ("split 20", "the message has only 20 bytes"),
        ("truncate 8", "its payload has only 8 bytes"),
        ("mask MQ", "SET_VRING_NUM has nothing of this name here"),
        ("set regions.size=1", "SET_VRING_NUM has nothing of this name here"),
        ("set num=0x100000000", "SET_VRING_NUM.num: 4294967296 does not fit into u32"),
        ("drop, duplicate", "an action before it has withheld the message"),
        ("drop, delay 1s", "an action before it has withheld the message"),
        ("duplicate, coalesce", "a message that waits for the next one cannot be changed as well"),
        ("drop, drop", "an action before it has withheld the message"),
        ("drop, close back-end after", "an action before it has withheld the message"),
        ("drop, reorder", "an action before it has withheld the message"),
        ("drop, flip version", "an action before it has withheld the message"),
        ("drop, add-fd", "an action before it has withheld the message"),
        ("nack", "its sender waits for no answer: NEED_REPLY is not set, or REPLY_ACK is not in effect"),
        ("error", "its sender waits for no answer: NEED_REPLY is not set, or REPLY_ACK is not in effect"),
        ("replace-fd", "it carries no descriptors"),
        ("close-fd", "it carries no descriptors"),
        ("swap-fds", "it carries no descriptors"),
        ("unmask MQ", "SET_VRING_NUM has nothing of this name here"),
        ("set num=64 index=0", "it has these values already"),
        ("set header.size=8", "it has these values already"),
    ],
)
def test_what_is_impossible_is_reported_and_the_message_passed_on(fault: str, reason: str) -> None:
    talk = Talk(f"from=front-end : {fault}")
    steps = talk.steps("SET_VRING_NUM", index=0, num=64)

    assert (reasons(steps), steps[-1]) == ([reason], Deliver())


def test_what_was_injected_and_what_was_not_is_counted_by_action() -> None:
    talk = Talk("SET_VRING_NUM and ring=0 : drop", "SET_VRING_NUM : withhold-fd")
    assert talk.engine.summary == "no fault was injected"

    for ring in (0, 0, 1):
        talk.report(talk.engine.decide(talk.message("SET_VRING_NUM", index=ring, num=64)))

    assert talk.engine.summary == "2 faults injected: 2 drop; 3 not injected: 3 withhold-fd"


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("mask CONFIG", "it has none of these features"),
        ("unmask MQ", "it has these features already"),
        ("ack", "GET_PROTOCOL_FEATURES has an answer of its own: use error, or set a field of its answer"),
    ],
)
def test_an_answer_that_is_like_this_already_is_not_changed(words: str, reason: str) -> None:
    talk = Talk(f"GET_PROTOCOL_FEATURES and kind=reply : {words}")

    assert reasons(talk.steps("GET_PROTOCOL_FEATURES", side=Side.BACK_END, features=OFFERED)) == [reason]


def test_a_success_cannot_become_one() -> None:
    talk = Talk("SET_VRING_NUM and kind=ack : ack")

    assert reasons(talk.steps("SET_VRING_NUM", side=Side.BACK_END, ack=0)) == ["it is this answer already"]


def test_only_what_has_another_end_or_a_size_can_be_dead() -> None:
    talk = Talk("SET_VRING_KICK : close-fd")

    why = reasons(talk.steps("SET_VRING_KICK", index=0, descriptors=(eventfd(1),)))
    assert why == ["eventfd has no other end and no size: use replace-fd"]


def test_only_messages_about_different_rings_may_overtake_each_other() -> None:
    talk = Talk("SET_VRING_* : reorder")
    first = talk.message("SET_VRING_NUM", index=0, num=64)
    (held,) = talk.engine.decide(first)

    def why(name: str, **options: Any) -> str:
        return talk.engine.may_swap(first, talk.message(name, **options))

    assert isinstance(held, WithNext)
    assert why("SET_VRING_NUM", index=1, num=64) == ""
    assert "not about different rings" in why("SET_VRING_BASE", index=0, num=0)
    assert "not about different rings" in why("SET_OWNER")
    assert "waits for one" in why("SET_VRING_NUM", index=1, num=64, need_reply=True)


def test_only_some_are_changed() -> None:
    talk = Talk("SET_VRING_NUM : drop ; after=1 count=2")
    dropped = [talk.steps("SET_VRING_NUM", index=0, num=64) == [Withhold()] for _ in range(5)]

    assert dropped == [False, True, True, False, False]


def test_a_probability() -> None:
    talk = Talk("SET_VRING_NUM : drop ; probability=0.5")
    dropped = [bool(talk.steps("SET_VRING_NUM", index=0, num=64)) for _ in range(100)]

    assert 20 < sum(dropped) < 80


def test_several_faults_apply_one_after_the_other() -> None:
    talk = Talk("SET_VRING_NUM : set num=63", "ring=0 : set index=5", "SET_OWNER : drop")
    steps = talk.steps("SET_VRING_NUM", index=0, num=64)

    assert injected(steps).data[HEADER_SIZE:] == bytes([5, 0, 0, 0, 63, 0, 0, 0])
    assert num(steps) == 63


def test_new_connections_are_refused_so_many_times() -> None:
    talk = Talk("SET_VRING_NUM : close back-end, refuse 2")
    assert talk.engine.refuse() is None

    talk.steps("SET_VRING_NUM", index=0, num=64)

    assert [talk.engine.refuse() is not None for _ in range(3)] == [True, True, False]


def test_a_message_takes_effect_when_it_is_recorded_not_when_it_is_offered() -> None:
    talk = Talk("SET_VRING_NUM : ack")
    for _ in range(2):
        assert talk.steps("SET_VRING_NUM", index=0, num=64, need_reply=True)[0] == Withhold()
