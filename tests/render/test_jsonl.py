"""JSON lines: the same keys in every line, and requests with their replies."""

import json
import struct
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from tests.conversation import EPOCH, MILLISECOND, Conversation, eventfd
from vudissect.capture.record import Mark, Record, RecordKind
from vudissect.lint.finding import Finding
from vudissect.protocol.features import PROTOCOL_FEATURES
from vudissect.protocol.model import Channel, Side
from vudissect.render.jsonl import json_lines
from vudissect.session.event import Event
from vudissect.session.session import Session

KEYS = [
    "frame", "time", "elapsed", "connection", "channel", "from", "kind", "id", "name", "flags", "size", "payload",
    "fds", "request_frame", "reply_frame", "latency", "dialect", "findings", "marks",
    "names",
    "device",
    "device_guessed",
    "device_id",
]  # fmt: skip


def judged(records: Iterable[Record]) -> Iterator[tuple[Event, list[Finding]]]:
    return ((event, []) for event in Session().events(records))


def objects(talk: Conversation, *, look_ahead: bool = True) -> list[dict[str, Any]]:
    return [json.loads(line) for line in json_lines(judged(talk.records), look_ahead=look_ahead)]


def test_every_line_has_the_same_keys_in_the_same_order() -> None:
    talk = Conversation()
    talk.event(RecordKind.CONNECTION_OPENED, front_end_pid=1)
    talk.ask("GET_FEATURES", features=0)
    talk.raw(Side.FRONT_END, b"short")
    talk.front_end("SET_VRING_KICK", descriptors=(eventfd(1),))

    assert [list(line) for line in objects(talk)] == [KEYS] * 5


def test_a_request_has_its_reply_and_the_reply_its_request() -> None:
    talk = Conversation()
    talk.front_end("GET_FEATURES")
    talk.front_end("SET_OWNER")
    talk.back_end("GET_FEATURES", features=(1 << 64) - 1)

    asked, owner, answered = objects(talk)

    assert (asked["kind"], asked["reply_frame"], asked["request_frame"]) == ("request", 3, None)
    assert owner["reply_frame"] is None
    assert (answered["kind"], answered["request_frame"], answered["latency"]) == ("reply", 1, 2 * MILLISECOND - 1000)
    assert answered["payload"] == {"features": 2**64 - 1}


def test_a_configuration_space_is_decoded_by_name() -> None:
    talk = Conversation()
    talk.open("qemu-kvm", "qemu-storage-da")
    talk.front_end("SET_CONFIG", offset=32, flags=1, contents=b"\1\0\2")
    talk.front_end("GET_CONFIG", contents=bytes(4))

    _, written, asked = objects(talk)

    assert written["payload"] == {
        "offset": 32,
        "size": 3,
        "flags": 1,
        "contents": "010002",
        "device": "blk",
        "device_guessed": True,
        "config": {"writeback": 1},
        "config_names": {"writeback": "writeback"},
        "undecoded": [{"field": "num_queues", "start": 0, "bytes": "02"}],
    }
    assert "config" not in asked["payload"]


def test_what_a_configuration_space_says_needs_no_arithmetic() -> None:
    talk = Conversation()
    talk.open("qemu-kvm", "qemu-storage-da")
    talk.front_end("GET_CONFIG", size=9, contents=bytes(9))
    talk.back_end("GET_CONFIG", size=9, contents=(12345).to_bytes(9, "little"))

    assert objects(talk)[-1]["payload"]["config_names"] == {"capacity": "6320640 bytes"}


def test_times_are_nanoseconds() -> None:
    talk = Conversation()
    talk.front_end("SET_OWNER")
    talk.front_end("SET_OWNER")

    assert [(line["time"], line["elapsed"]) for line in objects(talk)] == [
        (EPOCH + MILLISECOND, 0),
        (EPOCH + 2 * MILLISECOND, MILLISECOND),
    ]


def test_an_acknowledgement_is_distinguished_from_a_reply() -> None:
    talk = Conversation()
    talk.ask("GET_PROTOCOL_FEATURES", features=PROTOCOL_FEATURES.mask("REPLY_ACK"))
    talk.front_end("SET_PROTOCOL_FEATURES", features=PROTOCOL_FEATURES.mask("REPLY_ACK"))
    talk.front_end("SET_VRING_NUM", index=1, num=256, need_reply=True)
    talk.back_end("SET_VRING_NUM", ack=0)

    request, ack = objects(talk)[-2:]

    assert request["flags"] == {"version": 1, "reply": False, "need_reply": True, "raw": 9}
    assert (ack["kind"], ack["payload"]) == ("ack", {"result": 0})


def test_a_malformed_message_keeps_its_bytes() -> None:
    talk = Conversation()
    talk.raw(Side.BACK_END, struct.pack("<III", 99, 1, 1) + b"\xff", Channel.BACKEND, marks=Mark.SPLIT)

    (line,) = objects(talk)

    assert (line["kind"], line["name"], line["channel"], line["from"]) == ("malformed", None, "backend", "back-end")
    assert line["payload"] == {"problem": "unknown message", "bytes": "630000000100000001000000ff"}
    assert line["marks"] == ["split"]


def test_a_descriptor_has_a_name_and_a_kind() -> None:
    talk = Conversation()
    talk.front_end("SET_VRING_KICK", descriptors=(eventfd(5),))
    talk.front_end("SET_VRING_KICK", descriptors=(eventfd(5),))

    (fd,) = objects(talk)[1]["fds"]

    assert (fd["name"], fd["kind"], fd["first_frame"], fd["identity"]) == ("evt#1", "eventfd", 1, "eventfd:5")


def test_an_event_has_its_details_as_payload() -> None:
    talk = Conversation()
    talk.event(RecordKind.CONNECTION_CLOSED, by="back-end", how="eof")

    (line,) = objects(talk)

    assert (line["kind"], line["name"], line["from"], line["id"]) == ("event", "connection_closed", "proxy", None)
    assert line["payload"] == {"by": "back-end", "how": "eof"}


def test_a_live_capture_holds_nothing_back() -> None:
    talk = Conversation()
    talk.front_end("GET_FEATURES")
    said = json_lines(judged(talk.records), look_ahead=False)

    assert json.loads(next(said))["reply_frame"] is None


def test_a_request_that_is_never_answered_holds_back_a_bounded_number_of_lines() -> None:
    talk = Conversation()
    talk.front_end("GET_FEATURES")
    for _ in range(5000):
        talk.front_end("SET_OWNER")
    read = 0

    def counted() -> Any:
        nonlocal read
        for record in talk.records:
            read += 1
            yield record

    first = next(json_lines(judged(counted())))

    assert json.loads(first)["frame"] == 1
    assert read < 2000


@pytest.mark.parametrize("answered", [True, False])
def test_no_line_is_lost_or_out_of_order(answered: bool) -> None:
    talk = Conversation()
    for _ in range(50):
        talk.front_end("GET_FEATURES")
        if answered:
            talk.back_end("GET_FEATURES", features=0)
        talk.front_end("SET_OWNER")

    assert [line["frame"] for line in objects(talk)] == list(range(1, len(talk.records) + 1))
