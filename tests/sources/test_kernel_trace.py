"""Lines of bpftrace to system calls. The lines of `GET` and `SET` are recorded from bpftrace 0.17."""

from stat import S_IFIFO, S_IFREG, S_IFSOCK

import pytest

from tests.sources.talk import header
from vudissect.capture.record import RecordKind
from vudissect.host.descriptor import DescriptorKind
from vudissect.sources.attached import Attached
from vudissect.sources.kernel_trace import KernelTrace, Lost
from vudissect.sources.strace import Call, Exited
from vudissect.sources.values import Number, Text

EPOCH = 1_700_000_000_000_000_000
SOCKET = Number(3, "UNIX-STREAM:[2765087->2764969]")

SET = r"""C 15751 7592514117873 7592514102811 15751 sendmsg 20 3 0
F 15751 7592514117873 -1 3 140000 0 2765087 257 2764969 
V 15751 7592514117873 0 20
B 15751 7592514117873 0 0 \x0d\x00\x00\x00\x01\x00\x00\x00\x08\x00\x00\x00\x03\x00\x00\x00\x00\x00\x00\x00
F 15751 7592514117873 0 4 600 9041934 1038 0 0 \x5b\x65\x76\x65\x6e\x74\x66\x64\x5d
. 15751 7592514117873 0 1 4 7""".splitlines()  # noqa: W291 - as it is printed
GET = r"""C 15751 7592532291956 7592532238837 15751 recvfrom 12 3 12
F 15751 7592532291956 -1 3 140000 0 2765087 257 2764969 
V 15751 7592532291956 0 12
B 15751 7592532291956 0 0 \x01\x00\x00\x00\x05\x00\x00\x00\x08\x00\x00\x00
. 15751 7592532291956 0 0 3 8""".splitlines()  # noqa: W291 - as it is printed
CLOSE = "C 15751 7592540000000 7592540000000 15751 close 0 3 3"
LATER = "T 7592900000000"
BEFORE, BETWEEN, AFTER = "T 7592500000000", "T 7592600000000", "T 7592700000000"


def calls(*lines: str) -> list[Call | Exited | Lost]:
    trace = KernelTrace(EPOCH, lambda process, number, inode: f"/dev/shm/{process}-{number}-{inode}")
    return [*(call for line in lines for call in trace.feed(line)), *trace.finish()]


def passed(line: str) -> Number:
    """The descriptor that a message brings, which bpftrace describes like this."""
    (call,) = calls(*SET[:4], f"F 15751 7592514117873 0 {line}", SET[5])
    assert isinstance(call, Call)
    _, message = call.arguments
    assert isinstance(message, dict)
    match message["msg_control"]:
        case [{"cmsg_data": [Number() as number]}]:
            return number
    raise AssertionError(message)


def test_a_message_with_a_descriptor() -> None:
    (call,) = calls(*SET)

    assert isinstance(call, Call)
    assert (call.thread, call.name, call.result) == (15751, "sendmsg", 20)
    assert (call.start, call.end) == (EPOCH + 7592514102811, EPOCH + 7592514117873)
    data = header(13, size=8) + b"\3" + bytes(7)
    control = {"cmsg_type": "SCM_RIGHTS", "cmsg_data": [Number(4, "anon_inode:[eventfd]")]}
    message = {"msg_iov": [{"iov_base": Text(data), "iov_len": 20}], "msg_control": [control], "msg_flags": ""}
    assert call.arguments == [SOCKET, message]


def test_bytes_that_are_received() -> None:
    (call,) = calls(*GET)

    assert isinstance(call, Call)
    assert call.arguments == [SOCKET, Text(header(1, 5, 8)), 12]


@pytest.mark.parametrize(
    ("line", "about"),
    [
        (rf"9 {S_IFREG:o} 1021994 5 0 0 \x6d\x65\x6d\x66\x64\x3a\x72", "/memfd:r (deleted)"),
        (rf"9 {S_IFREG:o} 1021994 5 0 0 \x76\x6d", "/dev/shm/15751-9-5"),
        (f"9 {S_IFIFO:o} 50495045 7 0 0 ", "pipe:[7]"),
        (f"9 {S_IFSOCK:o} 534f434b 7 257 8 ", "UNIX-STREAM:[7->8]"),
        (f"9 {S_IFSOCK:o} 534f434b 7 257 0 ", "UNIX-STREAM:[7]"),
        (f"9 {S_IFSOCK:o} 534f434b 7 513 0 ", "socket:[7]"),
    ],
)
def test_what_a_descriptor_is(line: str, about: str) -> None:
    assert passed(line) == Number(9, about)


def test_more_descriptors_than_are_described_are_a_loss() -> None:
    (call,) = calls(*SET[:5], SET[5].replace(" 0 1 4", " 0 9 4"))

    assert isinstance(call, Call)
    _, message = call.arguments
    assert isinstance(message, dict)
    assert message["msg_flags"] == "MSG_CTRUNC"


def test_calls_of_different_processors_are_put_in_order() -> None:
    found = calls(BEFORE, *GET, CLOSE, *SET, LATER)

    assert [call.name for call in found if isinstance(call, Call)] == ["sendmsg", "recvfrom", "close"]


def test_a_call_waits_until_nothing_older_can_come() -> None:
    trace = KernelTrace(EPOCH)

    assert not [call for line in [BEFORE, *GET, BETWEEN] for call in trace.feed(line)]
    assert [*trace.feed(AFTER)]


def test_after_a_loss_calls_count_from_the_second_tick() -> None:
    later = [line.replace("7592532", "7592732") for line in GET]

    found = calls(BEFORE, *SET, "Lost 7 events", *GET, CLOSE, BETWEEN, *GET, AFTER, *later)

    close, lost, call = found
    assert isinstance(close, Call)
    assert close.name == "close"
    assert lost == Lost(7, EPOCH + 7592700000000)
    assert isinstance(call, Call)
    assert call.end == EPOCH + 7592732291956


def test_a_call_without_some_of_its_lines_is_lost() -> None:
    third = [line.replace("7592532", "7592732").replace("0 0 3 8", "0 0 3 9") for line in GET]

    found = calls(*SET, *GET[:3], GET[4], *third)

    assert [type(each) for each in found] == [Call, Lost, Call]
    assert found[1] == Lost(1, EPOCH + 7592732291956)


def test_a_call_that_comes_too_late_is_lost() -> None:
    third = [line.replace("7592532", "7592732").replace("0 0 3 8", "0 0 3 9") for line in GET]

    found = calls(BEFORE, *SET, *third, BETWEEN, AFTER, LATER, *GET)

    assert [type(each) for each in found] == [Call, Lost, Call]


def test_a_loss_at_the_end() -> None:
    assert calls(BEFORE, *SET, "Lost 7 events") == [Lost(7, EPOCH + 7592500000000)]


def test_the_end_of_a_process() -> None:
    assert calls("X 15751 7") == [Exited(15751, EPOCH + 7)]


@pytest.mark.parametrize("line", ["", "Attaching 38 probes...", "C 1", "F 1 2 0 x", "T x", r"B 1 2 0 0 \xzz", "é" * 99])
def test_other_lines_are_skipped(line: str) -> None:
    assert len(calls(line, *SET)) == 1


def test_a_session_of_them_is_a_capture() -> None:
    found = Attached("bpftrace", log=KernelTrace(EPOCH))
    for line in SET:
        found.feed(line)
    found.end(EPOCH + 7592800000000)

    opened, _, call, _ = found.records()

    assert opened.origin == "bpftrace of the front-end"
    assert [descriptor.kind for descriptor in call.descriptors] == [DescriptorKind.EVENTFD]


def test_a_loss_is_a_gap_and_the_next_message_is_found() -> None:
    payload = [line.replace("7592532", "7592732") for line in GET[:3]]
    payload += [
        r"B 15751 7592732291956 0 0 \xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        ". 15751 7592732291956 0 0 3 9",
    ]
    message = [line.replace("75925141", "75927541").replace(" 0 1 4 7", " 0 1 4 10") for line in SET]
    found = Attached("bpftrace", log=KernelTrace(EPOCH))
    for line in [*SET, BEFORE, LATER.replace("900", "650"), "Lost 7 events", BETWEEN, AFTER, *payload, *message]:
        found.feed(line)
    found.end(EPOCH + 7592900000000)

    kinds = [record.kind for record in found.records()][2:]

    assert kinds == [RecordKind.MESSAGE, RecordKind.GAP, RecordKind.MESSAGE, RecordKind.NOTE]
