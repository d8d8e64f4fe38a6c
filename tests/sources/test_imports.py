"""Logs as captures: what the log shows is right, and what it does not show is unknown."""

from pathlib import Path

import pytest

from tests.sources.talk import BACK, EVENTFD, FRONT, header, imported, quoted, recvmsg, sendmsg, timed
from vudissect.analysis import Analysis, findings, read
from vudissect.capture.record import Mark, Record, RecordKind
from vudissect.compare.captures import by_connection, compare_captures
from vudissect.host.descriptor import DescriptorKind
from vudissect.protocol.model import Channel, Side
from vudissect.sources.errors import SourceError
from vudissect.sources.imports import Imported, import_logs

LOGS = Path(__file__).parent / "logs"
CAPTURES = Path(__file__).parents[2] / "captures"
BOTH = ("qemu-7.2-blk.front-end.strace", "qemu-7.2-blk.back-end.strace")

GET_FEATURES = header(1)
FEATURES = header(1, 5, 8) + bytes(8)
SET_OWNER = header(3)
SET_CALL = header(13, size=8) + bytes(8)
SET_CHANNEL = header(21)
CONFIG_CHANGED = header(2)

ASKED = [sendmsg(FRONT, GET_FEATURES), recvmsg(FRONT, FEATURES[:12]), recvmsg(FRONT, FEATURES[12:])]
ANSWERED = [recvmsg(BACK, GET_FEATURES), sendmsg(BACK, FEATURES[:12]), f"write({BACK}, {quoted(bytes(8))}, 8) = 8"]


def recorded(*names: str) -> Imported:
    return import_logs([(name, (LOGS / name).read_text().splitlines()) for name in names])


def messages(capture: Imported) -> list[Record]:
    return [record for record in capture.records if record.kind is RecordKind.MESSAGE]


def shown(capture: Imported) -> list[str]:
    """Sender and name of each message."""
    events = [event for event, _ in Analysis(capture.records, rules=()) if event.message is not None]
    return [f"{event.record.sender.label}: {event.name}" for event in events]


def kinds(capture: Imported) -> list[RecordKind]:
    return [record.kind for record in capture.records if record.kind is not RecordKind.MESSAGE]


@pytest.mark.parametrize("names", [BOTH[:1], BOTH[1:], BOTH], ids=["front-end", "back-end", "both"])
def test_a_session_of_qemu_is_the_one_that_the_proxy_records(names: tuple[str, ...]) -> None:
    theirs = by_connection((event for event, _ in Analysis(recorded(*names).records, rules=())), 1000)
    ours = by_connection((event for event, _ in Analysis(read(CAPTURES / "qemu-7.2-blk-qsd.pcapng"), rules=())), 1000)

    (part,) = compare_captures(ours, theirs)

    assert part.compared.distinctions == ()


@pytest.mark.parametrize("names", [BOTH[:1], BOTH[1:], BOTH], ids=["front-end", "back-end", "both"])
def test_rules_that_need_what_a_log_does_not_show_are_silent(names: tuple[str, ...]) -> None:
    assert findings(recorded(*names).records).findings == []


def test_a_front_end_is_recognised_by_what_it_sends() -> None:
    capture = imported(ASKED)

    assert shown(capture) == ["front-end: GET_FEATURES", "back-end: GET_FEATURES"]
    assert capture.connections == ["the front-end"]


def test_a_back_end_is_recognised_by_what_it_receives() -> None:
    capture = imported(ANSWERED)

    assert shown(capture) == ["front-end: GET_FEATURES", "back-end: GET_FEATURES"]
    assert capture.connections == ["the back-end"]


def test_logs_of_both_sides_are_one_capture() -> None:
    capture = imported(timed(ASKED, 1_700_000_000.0), timed(ANSWERED, 1_700_000_000.0001))

    assert shown(capture) == ["front-end: GET_FEATURES", "back-end: GET_FEATURES"]
    assert capture.connections == ["both sides"]
    request, _ = messages(capture)
    assert request.forwarded - request.received == 100_000


def test_logs_without_a_common_clock_are_joined_by_their_messages() -> None:
    capture = imported(ANSWERED, timed(ASKED))

    assert shown(capture) == ["front-end: GET_FEATURES", "back-end: GET_FEATURES"]
    assert capture.connections == ["both sides"]


def test_logs_without_inodes_are_joined_by_their_messages() -> None:
    bare = [[line.replace(FRONT, "8").replace(BACK, "9") for line in lines] for lines in (ASKED, ANSWERED)]

    assert imported(*bare).connections == ["both sides"]


def test_both_sides_may_be_in_one_log() -> None:
    order = [*ASKED[:1], *ANSWERED, *ASKED[1:]]
    log = [f"{11 if '[101->100]' in line else 10} {line}" for line in order]

    assert imported(log).connections == ["both sides"]


def test_what_the_receiver_never_read_was_not_forwarded() -> None:
    front = [*ASKED, sendmsg(FRONT, SET_OWNER), f"close({FRONT}) = 0"]
    back = [*ANSWERED, f"close({BACK}) = 0"]

    *_, owner = messages(imported(timed(front), timed(back)))

    assert owner.marks & Mark.NOT_FORWARDED


def test_what_the_receiver_read_before_its_log_began_is_not_missing() -> None:
    front = [*ASKED, sendmsg(FRONT, SET_OWNER), f"close({FRONT}) = 0"]
    back = [recvmsg(BACK, SET_OWNER), f"close({BACK}) = 0"]

    capture = imported(timed(front), timed(back, 1_700_000_000.0035))

    assert capture.connections == ["both sides"]
    assert not any(record.marks for record in messages(capture))


def test_threads_may_have_logs_of_their_own() -> None:
    capture = imported(timed(ASKED), timed([sendmsg(FRONT, SET_OWNER)], 1_700_000_001.0))

    assert capture.connections == ["the front-end"]
    assert shown(capture)[-1] == "front-end: SET_OWNER"


def test_what_another_thread_closes_is_unknown() -> None:
    call = sendmsg(FRONT, SET_CALL, "12" + EVENTFD)
    one, other = timed([*ASKED, call, "close(3) = 0"]), timed([call, "close(12) = 0"], 1_700_000_001.0)

    assert [record.descriptors[0].identity for record in messages(imported(one, other)) if record.descriptors] == [
        "",
        "",
    ]


def test_a_thread_may_have_done_something_else() -> None:
    assert imported(["futex(0x7f, FUTEX_WAIT, 2, NULL) = 0"], ASKED).messages == 2


def test_a_log_of_something_else_among_others_is_named() -> None:
    with pytest.raises(SourceError, match="log 1: no system calls"):
        imported(ASKED, ["nothing of the kind"])


def test_bytes_that_strace_leaves_out_are_unknown() -> None:
    table = header(5, size=40) + bytes(40)
    capture = imported([*ASKED, sendmsg(FRONT, table, shown=quoted(table[:32]) + "...")])

    *_, last = messages(capture)

    assert (last.length, last.data) == (52, table[:32])
    assert capture.cut == 1


def test_after_a_message_that_is_not_shown_as_a_whole_the_state_is_incomplete() -> None:
    table = header(5, size=40) + bytes(40)
    capture = imported([*ASKED, sendmsg(FRONT, table, shown=quoted(table[:32]) + "...")])
    analysis = Analysis(capture.records)

    analysis.read_to()

    assert analysis.session.states[1].gap


def test_a_header_that_is_not_shown_is_a_gap() -> None:
    together = SET_CALL * 2
    capture = imported(
        [*ASKED, sendmsg(FRONT, together, shown=quoted(together[:26]) + "..."), sendmsg(FRONT, SET_OWNER)]
    )

    assert shown(capture)[2:] == ["front-end: SET_VRING_CALL", "front-end: SET_OWNER"]
    assert RecordKind.GAP in kinds(capture)


def test_a_log_that_begins_in_the_middle_has_a_gap_there() -> None:
    capture = imported([sendmsg(FRONT, SET_CALL, "12" + EVENTFD)])

    assert kinds(capture) == [RecordKind.CONNECTION_OPENED, RecordKind.GAP]
    assert findings(capture.records).findings == []


def test_the_descriptors_of_a_message_are_what_strace_says() -> None:
    capture = imported([*ASKED, sendmsg(FRONT, SET_CALL, "12" + EVENTFD), "close(3) = 0"])

    (eventfd,) = messages(capture)[-1].descriptors

    assert eventfd.kind is DescriptorKind.EVENTFD
    assert not eventfd.is_examined


def test_a_number_that_is_used_again_is_another_file() -> None:
    call = sendmsg(FRONT, SET_CALL, "12" + EVENTFD)
    same, also, other = _identities([*ASKED, call, call, "close(12) = 0", call])

    assert same == also != other


def test_a_duplicate_is_the_same_file() -> None:
    one, other = _identities(
        [
            *ASKED,
            sendmsg(FRONT, SET_CALL, "12" + EVENTFD),
            f"dup(12{EVENTFD}) = 13{EVENTFD}",
            "close(12) = 0",
            sendmsg(FRONT, SET_CALL, "13" + EVENTFD),
        ]
    )

    assert one == other


def test_without_the_calls_that_close_nothing_shows_what_is_the_same() -> None:
    call = sendmsg(FRONT, SET_CALL, "12" + EVENTFD)

    assert _identities([*ASKED, call, call]) == ["", ""]


def test_without_yy_the_kind_is_unknown_unless_the_log_has_the_beginning() -> None:
    lines = ["eventfd2(0, EFD_CLOEXEC) = 12", *ASKED, sendmsg(FRONT, SET_CALL, "12"), sendmsg(FRONT, SET_CALL, "13")]

    *_, made, unknown = messages(imported(lines))

    assert [made.descriptors[0].kind, unknown.descriptors[0].kind] == [DescriptorKind.EVENTFD, DescriptorKind.UNKNOWN]


def _identities(lines: list[str]) -> list[str]:
    return [record.descriptors[0].identity for record in messages(imported(lines)) if record.descriptors]


def test_a_descriptor_belongs_to_the_message_with_which_its_read_ended() -> None:
    read_at_once = SET_OWNER + SET_CALL
    capture = imported([*ANSWERED, recvmsg(BACK, read_at_once, "12" + EVENTFD)])

    owner, call = messages(capture)[-2:]

    assert [len(owner.descriptors), len(call.descriptors)] == [0, 1]


@pytest.mark.parametrize(
    ("made", "passed", "kept"),
    [
        ("socketpair(AF_UNIX, SOCK_STREAM, 0, [20, 21]) = 0", "21", "20"),
        ("", "21<UNIX-STREAM:[201->200]>", "20<UNIX-STREAM:[200->201]>"),
        ("", "21", "20"),
    ],
    ids=["its beginning", "inodes", "nothing"],
)
def test_a_channel_that_is_handed_over_is_known_by(made: str, passed: str, kept: str) -> None:
    capture = imported([*ASKED, made, sendmsg(FRONT, SET_CHANNEL, passed), recvmsg(kept, CONFIG_CHANGED)])

    *_, last = messages(capture)

    assert (last.channel, last.sender, last.connection) == (Channel.BACKEND, Side.BACK_END, 1)
    assert kinds(capture) == [RecordKind.CONNECTION_OPENED, RecordKind.CHANNEL_OPENED]


def test_a_channel_that_is_received_is_known_by_its_number() -> None:
    capture = imported([*ANSWERED, recvmsg(BACK, SET_CHANNEL, "15"), sendmsg("15", CONFIG_CHANGED)])

    *_, last = messages(capture)

    assert (last.channel, last.sender) == (Channel.BACKEND, Side.BACK_END)


def test_several_connections_are_told_apart() -> None:
    other = [line.replace("100", "300").replace("101", "301").replace("8<", "18<") for line in ASKED]

    assert imported([*ASKED[:1], *other, *ASKED[1:]]).connections == ["the front-end", "the front-end"]


def test_peeking_reads_nothing() -> None:
    peek = recvmsg(FRONT, FEATURES).replace("MSG_CMSG_CLOEXEC", "MSG_PEEK")

    assert shown(imported([ASKED[0], peek, *ASKED[1:]])) == ["front-end: GET_FEATURES", "back-end: GET_FEATURES"]


def test_a_short_write_counts_as_far_as_it_got() -> None:
    first = sendmsg(FRONT, SET_CALL).replace("= 20", "= 12")

    assert len(messages(imported([*ASKED, first, sendmsg(FRONT, SET_CALL[12:])]))) == 3


@pytest.mark.parametrize(
    ("line", "by"),
    [
        (f"close({FRONT}) = 0", "front-end"),
        (recvmsg(FRONT, b"").replace("iov_len=0", "iov_len=12"), "back-end"),
        (f"recvmsg({FRONT}, {{msg_namelen=0}}, 0) = -1 ECONNRESET (Connection reset by peer)", "back-end"),
        ("+++ killed by SIGKILL +++", "front-end"),
    ],
    ids=["close", "end of file", "reset", "death"],
)
def test_a_connection_is_closed_by(line: str, by: str) -> None:
    closed = imported([*ASKED, line]).records[-1]

    assert (closed.kind, closed.details["by"]) == (RecordKind.CONNECTION_CLOSED, by)


def test_other_protocols_are_not_taken_for_vhost_user() -> None:
    qmp = sendmsg("5<UNIX-STREAM:[7->8]>", b'{"QMP": {"version": {}}}')
    name_service = sendmsg("6<UNIX-STREAM:[9->10]>", header(2, 0xD, 6))

    assert imported([qmp, name_service, *ASKED]).connections == ["the front-end"]


@pytest.mark.parametrize("lines", [[], ["nothing of the kind"], ["close(3) = 0"]])
def test_a_log_of_something_else_is_an_error_that_names_the_remedy(lines: list[str]) -> None:
    with pytest.raises(SourceError, match=r"docs/import\.md|strace -f -yy -xx"):
        imported(lines)


@pytest.mark.parametrize(
    "line",
    [
        "close(3) = 99999999999999999999999999",
        "close(3) = 007",
        "accept4(8, NULL, NULL, 0) = 9<UNIX-STREAM:[1",
        "99999999999.999999999 close(3) = 0",
        f"read({FRONT}, {quoted(bytes(8))}, 8) = 99999999999999999999",
        "close_range(3) = 0",
        "socketpair(AF_UNIX) = 0",
        "fcntl(3) = 0",
        "execve() = 0",
        "sendmsg() = 5",
    ],
)
def test_damaged_lines_are_survived(line: str) -> None:
    assert imported([line, *ASKED]).messages == 2
