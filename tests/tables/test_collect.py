"""Conversations as rows."""

from typing import Any

import pytest

from tests.conversation import EPOCH, MILLISECOND, Conversation, eventfd, memfd
from vudissect.analysis import Analysis
from vudissect.capture.errors import CaptureError, TruncatedCapture
from vudissect.capture.observation import Observation
from vudissect.capture.record import Mark, RecordKind
from vudissect.protocol.features import VIRTIO_FEATURES
from vudissect.tables import collect
from vudissect.tables.collect import Tables
from vudissect.tables.schema import MESSAGES, TABLES

Rows = dict[str, list[dict[str, Any]]]


def tables_of(records: Any) -> Rows:
    rows: Rows = {table.name: [] for table in TABLES}
    for batch in Tables("talk.pcapng").batches(Analysis(records)):
        names = [column.name for column in batch.table.columns]
        rows[batch.table.name] += [dict(zip(names, row, strict=True)) for row in batch.rows]
    return rows


def observe(talk: Conversation, seen: Observation) -> None:
    details: dict[str, Any] = dict(seen.details)
    talk.event(RecordKind.RING_OBSERVED, **details)


@pytest.fixture
def talk() -> Conversation:
    talk = Conversation()
    talk.open("qemu-system-x86", "qemu-storage-da", back_end_pid=7)
    return talk


def test_a_reply_has_its_request_and_latency(talk: Conversation) -> None:
    talk.front_end("GET_QUEUE_NUM")
    talk.back_end("GET_QUEUE_NUM", queues=4, after=5 * MILLISECOND)

    request, reply = tables_of(talk.records)["messages"]

    assert (request["kind"], request["sender"], request["latency_ns"]) == ("request", "front-end", None)
    assert (reply["kind"], reply["request_frame"], reply["payload"]) == ("reply", 2, '{"queues":4}')
    # It took 1 us to forward the request.
    assert (reply["latency_ns"], reply["held_ns"]) == (5 * MILLISECOND - 1000, 1000)


def test_times_are_since_the_epoch_and_since_the_start(talk: Conversation) -> None:
    talk.front_end("SET_OWNER")

    (message,) = tables_of(talk.records)["messages"]

    assert message["time"] == talk.records[1].time >= EPOCH
    assert message["elapsed_ns"] == talk.records[1].time - talk.records[0].time


def test_a_message_about_a_ring_has_its_number(talk: Conversation) -> None:
    talk.front_end("SET_VRING_NUM", index=3, num=256)

    (message,) = tables_of(talk.records)["messages"]

    assert (message["message"], message["ring"]) == ("SET_VRING_NUM", 3)


def test_a_message_that_is_not_in_the_table_has_a_number_and_no_name(talk: Conversation) -> None:
    talk.front_end(900, payload=b"")

    (message,) = tables_of(talk.records)["messages"]

    assert (message["message_id"], message["message"]) == (900, None)


def test_a_session_has_both_programs_and_its_end(talk: Conversation) -> None:
    talk.front_end("SET_OWNER")
    talk.front_end("GET_QUEUE_NUM")
    talk.close("back-end")

    (session,) = tables_of(talk.records)["sessions"]

    assert (session["front_end"], session["front_end_pid"]) == ("qemu-system-x86", None)
    assert (session["back_end"], session["back_end_pid"]) == ("qemu-storage-da", 7)
    assert (session["closed_by"], session["closed_how"]) == ("back-end", "eof")
    assert (session["messages"], session["unanswered"]) == (2, 1)
    assert session["ended"] - session["started"] == 3 * MILLISECOND


def test_a_session_that_is_open_at_the_end_has_what_it_waits_for(talk: Conversation) -> None:
    talk.front_end("GET_QUEUE_NUM")

    (session,) = tables_of(talk.records)["sessions"]

    assert (session["closed_by"], session["unanswered"], session["from_start"]) == (None, 1, True)


def test_features_are_words_and_names(talk: Conversation) -> None:
    word = VIRTIO_FEATURES.mask("VERSION_1")
    talk.ask("GET_FEATURES", features=word | VIRTIO_FEATURES.mask("INDIRECT_DESC"))
    talk.front_end("SET_FEATURES", features=word)

    (session,) = tables_of(talk.records)["sessions"]

    assert (session["features_acked"], session["features"]) == (word, "VERSION_1")
    assert session["features_offered"] == word | VIRTIO_FEATURES.mask("INDIRECT_DESC")


def test_memory_is_that_before_the_end(talk: Conversation) -> None:
    region = {"guest_addr": 0, "size": 1 << 20, "user_addr": 0x7F00_0000_0000}
    talk.front_end("SET_MEM_TABLE", regions=[region], descriptors=(memfd(size=1 << 20, page_size=1 << 21),))
    talk.close("front-end")

    rows = tables_of(talk.records)

    assert [(row["memory_regions"], row["memory_bytes"]) for row in rows["sessions"]] == [(1, 1 << 20)]
    (descriptor,) = rows["descriptors"]
    assert (descriptor["name"], descriptor["kind"], descriptor["page_bytes"]) == ("mem#1", "memfd", 1 << 21)


def test_what_a_descriptor_does_not_have_is_null(talk: Conversation) -> None:
    talk.front_end("SET_VRING_CALL", index=0, descriptors=(eventfd(1),))

    (descriptor,) = tables_of(talk.records)["descriptors"]

    assert (descriptor["size_bytes"], descriptor["page_bytes"], descriptor["seals"]) == (None, None, None)


def test_a_ring_has_what_it_was_before_the_connection_was_closed(talk: Conversation) -> None:
    talk.front_end("SET_VRING_NUM", index=1, num=128)
    talk.front_end("SET_VRING_BASE", index=1, num=5)
    talk.front_end("SET_VRING_KICK", index=1, descriptors=(eventfd(1),))
    talk.close("front-end")

    (ring,) = tables_of(talk.records)["rings"]

    assert (ring["ring"], ring["size"], ring["base"], ring["started"]) == (1, 128, 5, True)
    assert (ring["observations"], ring["most_pending"]) == (0, None)


def test_a_ring_has_the_worst_that_was_seen_in_it(talk: Conversation) -> None:
    for pending, waited in ((3, 10), (1, 20)):
        observe(talk, Observation(0, pending=pending, waited=waited))

    (ring,) = tables_of(talk.records)["rings"]

    assert (ring["observations"], ring["most_pending"], ring["longest_pending_ns"]) == (2, 3, 20)


def test_a_finding_is_counted_in_its_session(talk: Conversation) -> None:
    talk.front_end("SET_VRING_ENABLE", index=3, num=7)
    talk.close("front-end")

    rows = tables_of(talk.records)

    (finding,) = [row for row in rows["findings"] if row["rule"] == "VU-VRG-03"]
    assert (finding["severity"], finding["blame"], finding["frame"]) == ("error", "front-end", 2)
    assert rows["sessions"][0]["errors"] == len([row for row in rows["findings"] if row["severity"] == "error"])


def test_faults_have_their_kind(talk: Conversation) -> None:
    talk.front_end("SET_OWNER", marks=Mark.NOT_FORWARDED)
    talk.event(RecordKind.GAP, messages=3)
    observe(talk, Observation(2, fault="a loop"))

    faults = tables_of(talk.records)["faults"]

    assert [(row["kind"], row["message"], row["text"]) for row in faults] == [
        ("not_forwarded", "SET_OWNER", "the receiver had closed the connection"),
        ("gap", None, "messages 3"),
        ("ring", None, "ring 2: a loop"),
    ]


def test_what_the_proxy_changed_on_purpose_is_a_fault_too(talk: Conversation) -> None:
    text = "SET_VRING_NUM : drop"
    talk.event(RecordKind.FAULT, fault=1, text=text, outcome="injected", alters=1)
    talk.front_end("SET_VRING_NUM", index=0, num=8, marks=Mark.NOT_FORWARDED | Mark.WITHHELD)
    talk.event(RecordKind.FAULT, fault=1, text=text, outcome="not injected", reason="nobody waits for it")

    faults = tables_of(talk.records)["faults"]

    assert [(row["kind"], row["text"]) for row in faults] == [
        ("injected", text),
        ("withheld", "the proxy did not pass it on"),
        ("not_injected", f"{text} (nobody waits for it)"),
    ]


def test_a_malformed_message_is_a_fault(talk: Conversation) -> None:
    talk.front_end("SET_VRING_NUM", payload=b"123")

    rows = tables_of(talk.records)

    assert [row["kind"] for row in rows["messages"]] == ["malformed"]
    assert "malformed" in [row["kind"] for row in rows["faults"]]


def test_a_batch_does_not_wait_for_the_end(talk: Conversation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collect, "_FEW", 1)
    monkeypatch.setattr(collect, "ROWS_IN_A_BATCH", 2)
    for index in range(5):
        talk.front_end("SET_VRING_NUM", index=index, num=256)

    batches = Tables("talk.pcapng").batches(Analysis(talk.records))

    assert [len(batch.rows) for batch in batches if batch.table.name == "messages"] == [2, 2, 1]


def test_a_hostile_time_fits_its_column(talk: Conversation) -> None:
    talk.front_end("SET_OWNER")
    talk.records[1] = talk.records[1]._replace(time=(1 << 64) - 1)

    (message,) = tables_of(talk.records)["messages"]

    assert message["time"] == (1 << 63) - 1


def test_a_hostile_latency_fits_its_column(talk: Conversation) -> None:
    talk.ask("GET_FEATURES", features=0)
    talk.records[1] = talk.records[1]._replace(forwarded=(1 << 64) - 1)

    request, reply = tables_of(talk.records)["messages"]

    assert (request["held_ns"], reply["latency_ns"]) == ((1 << 63) - 1, -1 << 63)


def test_a_time_before_a_hostile_beginning_fits_its_column(talk: Conversation) -> None:
    talk.front_end("SET_OWNER")
    talk.records[0] = talk.records[0]._replace(received=(1 << 64) - 1)

    (message,) = tables_of(talk.records)["messages"]

    assert message["elapsed_ns"] == -1 << 63


def test_messages_that_come_together_have_their_own_connections(talk: Conversation) -> None:
    talk.front_end("SET_OWNER")
    talk.front_end("SET_VRING_NUM", index=3, num=256)
    other = [record._replace(connection=2) for record in talk.records[1:]]
    mixed = [talk.records[0], *(each for pair in zip(talk.records[1:], other, strict=True) for each in pair)]

    rows = tables_of(record._replace(frame=frame) for frame, record in enumerate(mixed, 1))

    assert [(row["connection"], row["frame"], row["ring"]) for row in rows["messages"]] == [
        *((1, 2, None), (2, 3, None), (1, 4, 3), (2, 5, 3)),
    ]
    assert [(row["connection"], row["messages"]) for row in rows["sessions"]] == [(1, 2), (2, 2)]


def test_a_message_of_an_earlier_file_is_only_in_the_tables_of_that_file(talk: Conversation) -> None:
    talk.front_end("SET_OWNER", marks=Mark.EARLIER)
    talk.front_end("SET_VRING_NUM", index=3, num=256)

    rows = tables_of(talk.records)

    assert [row["message"] for row in rows["messages"]] == ["SET_VRING_NUM"]
    assert [row["messages"] for row in rows["sessions"]] == [2]


@pytest.mark.parametrize("error", [TruncatedCapture("cut"), CaptureError("damaged")])
def test_what_was_read_before_damage_is_kept(talk: Conversation, error: CaptureError) -> None:
    talk.front_end("SET_OWNER")

    def records() -> Any:
        yield from talk.records
        raise error

    tables = Tables("talk.pcapng")
    names = {batch.table.name for batch in tables.batches(Analysis(records()))}

    assert {"messages", "sessions"} <= names
    assert tables.problem == str(error)


def test_a_batch_has_few_messages_if_they_are_long(talk: Conversation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collect, "_FEW", 1)
    monkeypatch.setattr(collect, "_BYTES_IN_A_BATCH", 30)
    for index in range(4):
        talk.front_end("SET_VRING_NUM", index=index, num=256)  # 20 bytes
    batches = Tables("talk.pcapng", (MESSAGES,)).batches(Analysis(talk.records, rules=()))

    assert [batch.size for batch in batches] == [2, 2]
