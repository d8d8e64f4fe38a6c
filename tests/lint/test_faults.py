"""VU-FLT: how the peers cope with injected faults; and that nobody is blamed for what the recorder did."""

from typing import Any

from tests.conversation import SECOND, Conversation, eventfd, memfd
from vudissect.analysis import findings
from vudissect.capture.observation import Observation
from vudissect.capture.record import Mark, RecordKind
from vudissect.conversation.text import read_conversation
from vudissect.lint.finding import Blame, Finding
from vudissect.protocol.features import PROTOCOL_FEATURES, VIRTIO_FEATURES
from vudissect.protocol.model import Channel

FEATURES = VIRTIO_FEATURES.mask("VERSION_1", "PROTOCOL_FEATURES")
USER = 0x7F00_0000_0000
REGION = {"guest_addr": 0, "size": 1 << 20, "user_addr": USER}
WITHHELD = int(Mark.NOT_FORWARDED | Mark.WITHHELD)
INJECTED = int(Mark.INJECTED)
DROP: dict[str, Any] = {"fault": 1, "text": "SET_MEM_TABLE and kind=ack : drop", "outcome": "injected", "alters": 1}


def talk(connection: int = 1, back_end_pid: int = 20, said: Conversation | None = None) -> Conversation:
    said = said or Conversation()
    said.open("qemu", "disk", connection, front_end_pid=10, back_end_pid=back_end_pid)
    both: dict[str, Any] = {"connection": connection}
    said.front_end("GET_FEATURES", **both)
    said.back_end("GET_FEATURES", features=FEATURES, **both)
    said.front_end("GET_PROTOCOL_FEATURES", **both)
    said.back_end("GET_PROTOCOL_FEATURES", features=PROTOCOL_FEATURES.mask("REPLY_ACK"), **both)
    said.front_end("SET_PROTOCOL_FEATURES", features=PROTOCOL_FEATURES.mask("REPLY_ACK"), **both)
    said.front_end("SET_OWNER", **both)
    said.front_end("SET_FEATURES", features=FEATURES, **both)
    return said


def start_ring(said: Conversation, connection: int) -> None:
    both: dict[str, Any] = {"connection": connection}
    said.front_end("SET_MEM_TABLE", regions=[REGION], descriptors=(memfd(size=1 << 20),), need_reply=True, **both)
    said.back_end("SET_MEM_TABLE", ack=0, **both)
    said.front_end("SET_VRING_NUM", index=0, num=128, **both)
    said.front_end("SET_VRING_BASE", index=0, num=0, **both)
    places = {"desc": 0x1000, "used": 0x3000, "avail": 0x2000}
    addresses = {name: USER + place for name, place in places.items()}
    said.front_end("SET_VRING_ADDR", index=0, **addresses, **both)
    said.front_end("SET_VRING_KICK", index=0, descriptors=(eventfd(1),), **both)
    said.front_end("SET_VRING_ENABLE", index=0, num=1, need_reply=True, **both)
    said.back_end("SET_VRING_ENABLE", ack=0, **both)


def found(said: Conversation, rule: str) -> list[Finding]:
    return [finding for finding in findings(said.records).findings if finding.rule == rule]


def drop_answer(said: Conversation) -> None:
    said.front_end("SET_MEM_TABLE", regions=[REGION], descriptors=(memfd(size=1 << 20),), need_reply=True)
    said.event(RecordKind.FAULT, **DROP)
    said.back_end("SET_MEM_TABLE", ack=0, marks=WITHHELD)


def test_a_front_end_that_waits_for_a_withheld_answer_hangs() -> None:  # VU-FLT-01
    said = talk()
    drop_answer(said)
    said.silence(30 * SECOND)
    said.close("back-end")

    assert [(finding.blame, finding.frame) for finding in found(said, "VU-FLT-01")] == [(Blame.FRONT_END, 9)]


def test_a_capture_that_ends_shows_the_hang_too() -> None:  # VU-FLT-01
    said = talk()
    drop_answer(said)
    said.event(RecordKind.NOTE, text="the guest is still dead", after=3 * SECOND)

    assert len(found(said, "VU-FLT-01")) == 1


def test_a_front_end_that_gives_up_does_not_hang() -> None:  # VU-FLT-01
    said = talk()
    drop_answer(said)
    said.close("front-end", after=5 * SECOND)

    assert found(said, "VU-FLT-01") == []


def test_nobody_is_blamed_for_an_answer_that_the_recorder_withheld() -> None:
    said = talk()
    drop_answer(said)
    said.close("front-end", after=5 * SECOND)

    missing = found(said, "VU-RPL-04")
    assert [finding.blame for finding in missing] == [Blame.FAULT]
    assert "a fault withheld it in #11" in missing[0].message
    assert 10 in missing[0].frames


def test_a_back_end_is_not_accused_of_hanging_up_instead_of_an_answer_that_was_withheld() -> None:
    said = talk()
    drop_answer(said)
    said.close("back-end", after=5 * SECOND)

    assert found(said, "VU-RPL-08") == []


def test_what_was_wrong_before_the_fault_keeps_its_blame() -> None:
    said = talk()
    said.front_end("SET_VRING_NUM", index=0, num=100_000)
    said.event(RecordKind.FAULT, **DROP)
    said.front_end("SET_VRING_NUM", index=1, num=100_000)

    assert [finding.blame for finding in found(said, "VU-VRG-02")] == [Blame.FRONT_END, Blame.FAULT]


def test_a_fault_that_changes_only_times_excuses_nobody() -> None:
    said = talk()
    said.event(RecordKind.FAULT, fault=1, text="SET_OWNER : delay 1s", outcome="injected")
    said.front_end("SET_VRING_NUM", index=0, num=100_000)

    assert [finding.blame for finding in found(said, "VU-VRG-02")] == [Blame.FRONT_END]


def test_a_fault_that_was_not_injected_excuses_nobody() -> None:
    said = talk()
    said.event(RecordKind.FAULT, fault=1, text="SET_OWNER : add-fd", outcome="not injected", reason="no room")
    said.front_end("SET_VRING_NUM", index=0, num=100_000)

    assert [finding.blame for finding in found(said, "VU-VRG-02")] == [Blame.FRONT_END]


def test_an_answer_in_the_place_of_the_peer_answers_the_request_that_it_never_got() -> None:
    said = talk()
    said.event(RecordKind.FAULT, fault=1, text="SET_OWNER : nack", outcome="injected", alters=1)
    said.front_end("SET_VRING_NUM", index=0, num=128, need_reply=True, marks=WITHHELD)
    said.back_end("SET_VRING_NUM", ack=1, marks=INJECTED)

    request, reply = said.events()[-2:]
    assert (request.awaits, reply.request and reply.request.frame) == (True, request.record.frame)
    assert request.after.rings == request.before.rings


def test_a_changed_request_takes_the_place_of_the_withheld_one() -> None:
    said = talk()
    said.event(RecordKind.FAULT, fault=1, text="SET_VRING_NUM : set num=64", outcome="injected", alters=1)
    said.front_end("SET_VRING_NUM", index=0, num=128, need_reply=True, marks=WITHHELD)
    said.front_end("SET_VRING_NUM", index=0, num=64, need_reply=True, marks=INJECTED)
    said.back_end("SET_VRING_NUM", ack=0)
    said.close("front-end")

    _, injected, reply, closed = said.events()[-4:]
    assert reply.request
    assert reply.request.frame == injected.record.frame
    assert (injected.after.rings[0].size, closed.unanswered) == (64, ())


def test_a_side_that_closes_right_after_a_fault_is_named() -> None:  # VU-FLT-02
    said = talk()
    said.event(RecordKind.FAULT, **DROP)
    said.close("back-end", "reset")

    assert [finding.blame for finding in found(said, "VU-FLT-02")] == [Blame.BACK_END]


def test_a_fault_that_closes_the_connection_itself_is_not_the_deed_of_a_side() -> None:  # VU-FLT-02
    said = talk()
    said.event(RecordKind.FAULT, **DROP)
    said.close("back-end", "fault 1")

    assert found(said, "VU-FLT-02") == []


def test_another_process_after_a_fault_means_a_crash() -> None:  # VU-FLT-03
    said = talk()
    said.event(RecordKind.FAULT, **DROP)
    said.close("back-end", "reset")
    talk(2, back_end_pid=21, said=said)

    crashed = found(said, "VU-FLT-03")
    assert [finding.blame for finding in crashed] == [Blame.BACK_END]
    assert "pid 20, then 21" in crashed[0].message


def test_the_next_session_has_to_work() -> None:  # VU-FLT-04
    said = talk()
    said.event(RecordKind.FAULT, **DROP)
    said.close("back-end", "reset")
    talk(2, said=said).close("back-end", connection=2)
    talk(3, said=said).close("back-end", connection=3)

    assert [(finding.connection, finding.blame) for finding in found(said, "VU-FLT-04")] == [(2, Blame.BACK_END)]


def test_who_ends_a_session_that_hangs_is_not_the_one_that_hangs() -> None:  # VU-FLT-04
    said = talk()
    said.event(RecordKind.FAULT, **DROP)
    said.close("front-end", "fault 1")
    said.open("qemu", "disk", 2)
    said.front_end("GET_FEATURES", connection=2)
    said.silence(10 * SECOND)
    said.close("front-end", connection=2)

    (failed,) = found(said, "VU-FLT-04")
    assert (failed.blame, "GET_FEATURES (#12) was not answered" in failed.message) == (Blame.BACK_END, True)


def test_recovery_is_measured_from_the_end_of_the_session_with_the_fault() -> None:  # VU-FLT-05
    said = talk()
    said.event(RecordKind.FAULT, **DROP)
    said.close("back-end", "reset")
    said.silence(2 * SECOND)
    start_ring(talk(2, said=said), 2)

    assert ["2.0 s" in finding.message for finding in found(said, "VU-FLT-05")] == [True]
    assert found(said, "VU-FLT-04") == []


def test_a_session_in_between_does_not_hide_the_recovery() -> None:  # VU-FLT-05
    said = talk()
    said.event(RecordKind.FAULT, **DROP)
    said.close("back-end", "fault 1")
    talk(2, said=said).close("back-end", connection=2)
    start_ring(talk(3, back_end_pid=21, said=said), 3)
    said.close("front-end", connection=3)
    start_ring(talk(4, back_end_pid=21, said=said), 4)

    assert [finding.connection for finding in found(said, "VU-FLT-05")] == [3]


def test_a_session_of_another_device_is_not_the_next_one() -> None:  # VU-FLT-04, VU-FLT-05
    said = talk()
    said.open("qemu", "disk", 2, device_id="net1")
    said.event(RecordKind.FAULT, **DROP)
    said.close("back-end", "reset")
    said.front_end("SET_OWNER", connection=2)
    said.close("front-end", connection=2)
    said.open("qemu", "disk", 3, device_id="net1")
    start_ring(said, 3)

    assert [*found(said, "VU-FLT-04"), *found(said, "VU-FLT-05")] == []


def test_a_crash_is_reported_once() -> None:  # VU-FLT-03
    said = talk()
    said.event(RecordKind.FAULT, **DROP)
    said.close("back-end", "reset")
    for connection in (2, 3):
        talk(connection, back_end_pid=21, said=said).close("front-end", connection=connection)

    assert [finding.connection for finding in found(said, "VU-FLT-03")] == [2]


def ask_in_the_place_of_the_back_end(said: Conversation, action: str = "insert CONFIG_CHANGE_MSG need_reply") -> None:
    said.event(RecordKind.FAULT, fault=1, text=f"SET_FEATURES : {action}", outcome="injected", alters=1)
    said.back_end("CONFIG_CHANGE_MSG", Channel.BACKEND, need_reply=True, marks=INJECTED)


def test_nobody_waits_for_the_answer_to_a_request_that_nobody_sent() -> None:  # VU-FLT-01, VU-FLT-07
    said = talk()
    ask_in_the_place_of_the_back_end(said)
    said.silence(30 * SECOND)
    said.close("back-end")

    assert found(said, "VU-FLT-01") == []
    (silent,) = found(said, "VU-FLT-07")
    assert (silent.blame, "which a fault sent" in silent.message) == (Blame.FRONT_END, True)


def test_a_side_that_does_not_answer_after_a_fault_is_named_and_not_the_one_that_waits() -> None:  # VU-FLT-07
    said = talk()
    said.event(RecordKind.FAULT, **DROP)
    said.front_end("GET_VRING_BASE", index=0)
    said.silence(30 * SECOND)
    said.close("front-end")

    assert [finding.blame for finding in found(said, "VU-FLT-07")] == [Blame.BACK_END]
    assert found(said, "VU-FLT-01") == []


def test_a_side_that_a_fault_keeps_from_answering_is_not_silent() -> None:  # VU-FLT-07
    for action in ("truncate 0", "set header.size=100", "stall one-way"):
        said = talk()
        ask_in_the_place_of_the_back_end(said, action)
        said.silence(30 * SECOND)
        said.close("back-end")
        assert found(said, "VU-FLT-07") == []


def test_a_filter_with_the_words_of_an_action_hides_nothing() -> None:  # VU-FLT-07
    said = talk()
    said.event(RecordKind.FAULT, **DROP | {"text": "header.size>=8 : drop"})
    said.front_end("GET_VRING_BASE", index=0)
    said.silence(30 * SECOND)
    said.close("front-end")

    assert [finding.blame for finding in found(said, "VU-FLT-07")] == [Blame.BACK_END]


def test_an_answer_that_was_withheld_was_given() -> None:  # VU-FLT-07
    said = talk()
    drop_answer(said)
    said.silence(30 * SECOND)
    said.close("back-end")

    assert found(said, "VU-FLT-07") == []


def test_the_end_of_an_orderly_session_is_not_the_work_of_a_fault() -> None:  # VU-FLT-02
    said = talk()
    start_ring(said, 1)
    said.event(RecordKind.FAULT, **DROP)
    said.front_end("GET_VRING_BASE", index=0)
    said.back_end("GET_VRING_BASE", index=0, num=0)
    said.close("front-end")

    assert found(said, "VU-FLT-02") == []


def test_a_transcript_has_both_and_can_be_composed_again() -> None:
    said = read_conversation(
        "--- fault 1 not injected (it carries no descriptors): SET_OWNER : withhold-fd\n"
        "--- fault 2 injected (timing only): SET_OWNER : delay 1s\n"
        "--- fault 3 injected: SET_OWNER : drop\n"
        "F>B SET_OWNER NOT FORWARDED, WITHHELD\n"
        "F>B SET_OWNER INJECTED\n"
    )
    faults = [dict(record.details) for record in said.records[:3]]

    assert [fault.get("reason") for fault in faults] == ["it carries no descriptors", None, None]
    assert [fault.get("alters") for fault in faults] == [None, None, 1]
    assert [int(record.marks) for record in said.records[3:]] == [WITHHELD, INJECTED]


def test_a_request_that_waits_since_a_fault_is_lost() -> None:  # VU-FLT-06
    said = talk()
    said.records[0] = said.records[0]._replace(details={"back_end_command": "vhost-user-blk", "device": "blk"})
    start_ring(said, 1)
    said.event(RecordKind.FAULT, **DROP)
    seen = Observation(0, avail=5, used=4, pending=1, waited=6 * SECOND, kick=0)
    said.event(RecordKind.RING_OBSERVED, Channel.MAIN, 1, 6 * SECOND, **seen.details)
    said.event(RecordKind.RING_OBSERVED, Channel.MAIN, 1, SECOND, **seen._replace(waited=7 * SECOND).details)

    assert [finding.blame for finding in found(said, "VU-FLT-06")] == [Blame.BACK_END]
