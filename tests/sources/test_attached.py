"""Processes that are being traced: what is known when tracing begins, and records as they come."""

from tests.sources.talk import EVENTFD, FRONT, header, recvmsg, sendmsg, timed
from vudissect.capture.record import Record, RecordKind
from vudissect.host.descriptor import Descriptor, DescriptorKind
from vudissect.sources.attached import Attached, Details

START = 1_700_000_000
GET_FEATURES, SET_CALL = header(1), header(13, size=8) + bytes(8)
MEMORY = Descriptor(DescriptorKind.MEMFD, "1:5", 4096, 4096, 0x2, 2, "/memfd:pc.ram (deleted)")
KNOWN = Descriptor(DescriptorKind.EVENTFD, "eventfd:7", flags=2, name="anon_inode:[eventfd]")
SOCKET = Descriptor(DescriptorKind.SOCKET, "8:100", name="socket:[100] stream")


def attached(*lines: str) -> Attached:
    asked: list[tuple[int, int]] = []

    def peer_at(process: int, number: int) -> Details:
        asked.append((process, number))
        assert len(asked) == 1
        return {"pid": 20, "command": "daemon"} if (process, number) == (10, 8) else {}

    found = Attached("strace", peer_at)
    details: Details = {"pid": 10, "command": "qemu"}
    found.add_process(10, [10, 11], details, {5: MEMORY, 8: SOCKET, 12: KNOWN})
    for line in timed([*lines], float(START)):
        found.feed(f"10 {line}")
    return found


def finished(*lines: str) -> list[Record]:
    return [*attached(*lines).records()]


def test_a_session_that_had_begun_has_a_gap_and_what_is_known_of_it() -> None:
    opened, gap, note, _ = finished(f"{sendmsg(FRONT, SET_CALL, '12' + EVENTFD)}")

    assert opened.details["front_end_command"] == "qemu"
    assert opened.details["back_end_command"] == "daemon"
    assert opened.details["seen_by"] == "front-end"
    assert gap.details["reason"] == "recording began in the middle of the session"
    assert note.details["text"] == "the front-end has open: /memfd:pc.ram of 4096 bytes, 1 eventfds"


def test_a_session_that_begins_later_has_no_gap() -> None:
    kinds = [record.kind for record in finished(sendmsg(FRONT, GET_FEATURES))]

    assert kinds == [RecordKind.CONNECTION_OPENED, RecordKind.MESSAGE]


def test_what_was_open_before_is_fully_known() -> None:
    *_, message = finished(sendmsg(FRONT, SET_CALL, "12" + EVENTFD))

    assert message.descriptors == (KNOWN,)


def test_what_is_opened_later_is_not() -> None:
    *_, message = finished("close(12) = 0", "eventfd2(0, 0) = 12", sendmsg(FRONT, SET_CALL, "12" + EVENTFD))

    (eventfd,) = message.descriptors
    assert not eventfd.is_examined


def test_records_come_when_they_are_old_enough() -> None:
    found = attached(sendmsg(FRONT, GET_FEATURES), recvmsg(FRONT, header(1, 5, 8)), recvmsg(FRONT, bytes(8)))
    millisecond = 1_000_000

    assert not [*found.records(START * 1000 * millisecond)]
    assert len([*found.records(START * 1000 * millisecond + millisecond)]) == 2
    assert len([*found.records()]) == 1
    assert found.messages == 2


def test_the_end_of_the_recording_is_in_the_capture() -> None:
    found = attached(sendmsg(FRONT, GET_FEATURES))
    found.end((START + 9) * 1_000_000_000)

    *_, note = found.records()

    assert (note.details["text"], note.received) == ("the recording ends here", (START + 9) * 1_000_000_000)
