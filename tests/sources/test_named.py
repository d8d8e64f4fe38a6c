"""Logs that only name messages: each is in the capture, and everything else about it is unknown."""

from pathlib import Path
from struct import pack

import pytest

from vudissect.analysis import Analysis, findings, read
from vudissect.capture.record import RecordKind
from vudissect.render.style import Style
from vudissect.render.transcript import Transcript
from vudissect.session.event import MessageEvent
from vudissect.sources.errors import SourceError
from vudissect.sources.imports import Imported, import_logs
from vudissect.sources.simpletrace import is_simpletrace, lines_of_trace

LOGS = Path(__file__).parent / "logs"
CAPTURES = Path(__file__).parents[2] / "captures"

WRITE, READ = (
    "12@1700000000.000001:vhost_user_write req:1 flags:0x1",
    "12@1700000000.002001:vhost_user_read req:1 flags:0x5",
)
LIBVHOST = [
    "================ Vhost user message ================",
    "Request: VHOST_USER_SET_VRING_KICK (12)",
    "Flags:   0x9",
    "Size:    8",
    "Fds: 7",
    "Got kick_fd: 7 for vq: 0",
    "================ Vhost user message ================",
    "Request: VHOST_USER_SET_OWNER (3)",
    "Flags:   0x1",
    "Size:    0",
]


def imported(*lines: str) -> Imported:
    return import_logs([("log", lines)])


def of_file(name: str) -> Imported:
    return import_logs([(name, (LOGS / name).read_text().splitlines())])


def events(capture: Imported) -> list[MessageEvent]:
    return [event for event, _ in Analysis(capture.records, rules=()) if isinstance(event, MessageEvent)]


def shown(capture: Imported) -> list[str]:
    return [f"{event.record.sender.label}: {event.name}" for event in events(capture)]


def lines(capture: Imported) -> list[str]:
    transcript = Transcript(Style(colour=False), times=False)
    return [transcript.line(event).split(maxsplit=1)[1] for event, _ in Analysis(capture.records, rules=())]


def test_the_trace_of_qemu_has_the_messages_that_the_proxy_records() -> None:
    recorded = [event for event, _ in Analysis(read(CAPTURES / "qemu-10.0-blk-qsd.pcapng"), rules=()) if event.message]

    assert shown(of_file("qemu-10.0-blk.trace")) == [f"{each.record.sender.label}: {each.name}" for each in recorded]


def test_the_log_of_dpdk_has_requests_and_which_of_them_are_answered() -> None:
    capture = of_file("dpdk-22.11-net.log")

    assert shown(capture)[:3] == ["front-end: SET_OWNER", "front-end: GET_FEATURES", "back-end: GET_FEATURES"]
    assert capture.records[0].device_id == "back.sock"
    assert capture.records[-1].kind is RecordKind.CONNECTION_CLOSED


@pytest.mark.parametrize("name", ["qemu-10.0-blk.trace", "dpdk-22.11-net.log"])
def test_rules_that_need_a_payload_are_silent(name: str) -> None:
    assert findings(of_file(name).records).findings == []


def test_payload_and_size_are_shown_as_unknown() -> None:
    assert lines(imported(WRITE, READ)) == [
        "--- connection 1: front-end ?, back-end ?, from QEMU trace of the front-end",
        "F>B GET_FEATURES payload unknown",
        "B>F GET_FEATURES -> payload unknown [#2]",
    ]


def test_a_trace_has_times() -> None:
    _, answer = events(imported(WRITE, READ))

    assert answer.latency == 2_000_000


@pytest.mark.parametrize(
    "line",
    [
        "vhost_user_write req:1 flags:0x1",
        "12@1.000001:vhost_user_write req:1 (VHOST_USER_GET_FEATURES) flags:0x1",
        "vhost_user_write req:VHOST_USER_GET_FEATURES flags:0x1",
    ],
    ids=["numbers", "both", "names"],
)
def test_old_and_new_forms_of_the_trace(line: str) -> None:
    assert shown(imported(line)) == ["front-end: GET_FEATURES"]


def test_a_log_without_times_has_no_latencies() -> None:
    _, answer = events(imported("vhost_user_write req:1 flags:0x1", "vhost_user_read req:1 flags:0x5"))

    assert answer.latency is None


def test_a_request_that_nobody_answered_is_reported_if_the_log_has_answers() -> None:
    stuck = [WRITE, READ, "12@1700000001.000000:vhost_user_write req:11 flags:0x1", "12@1700000009.0:vhost_user_event"]

    (request,) = unanswered(imported(*stuck))

    assert request == "GET_VRING_BASE"


def test_without_answers_in_the_log_none_is_missing() -> None:
    capture = imported("VHOST_CONFIG: read message VHOST_USER_GET_VRING_BASE")

    assert unanswered(capture) == []
    assert findings(capture.records).findings == []


def unanswered(capture: Imported) -> list[str]:
    analysis = Analysis(capture.records)
    analysis.read_to()
    return [request.name for request in analysis.session.unanswered()]


def test_libvhost_user_has_flags_size_and_the_number_of_descriptors() -> None:
    kick, owner = events(imported(*LIBVHOST))

    assert (kick.name, kick.message.flags, kick.message.size, len(kick.descriptors)) == ("SET_VRING_KICK", 9, 8, 1)
    assert (owner.name, owner.message.problem, owner.record.is_cut) == ("SET_OWNER", "", False)
    assert findings(imported(*LIBVHOST).records).findings == []


def test_a_back_end_in_rust() -> None:
    line = (
        "[2024-02-27T17:32:14Z DEBUG vhost::vhost_user::backend_req_handler] vhost-user: request Ok(SET_VRING_ENABLE)"
    )
    capture = imported(line)

    assert shown(capture) == ["front-end: SET_VRING_ENABLE"]
    assert events(capture)[0].record.time == 1_709_055_134_000_000_000


@pytest.mark.parametrize("name", ["VHOST_USER_SET_SLAVE_REQ_FD", "VHOST_USER_SET_BACKEND_REQ_FD"])
def test_old_names_are_those_of_the_table(name: str) -> None:
    assert shown(imported(f"VHOST_CONFIG: /tmp/a.sock read message {name}", f"VHOST_CONFIG: read message {name}")) == [
        "front-end: SET_BACKEND_REQ_FD"
    ]


def test_sockets_are_connections() -> None:
    capture = imported(
        "VHOST_CONFIG: (a.sock) read message VHOST_USER_SET_OWNER",
        "VHOST_CONFIG: (b.sock) read message VHOST_USER_SET_OWNER",
        "VHOST_CONFIG: (a.sock) vhost peer closed",
        "VHOST_CONFIG: (a.sock) read message VHOST_USER_SET_OWNER",
    )

    assert [record.device_id for record in capture.records if record.device_id] == ["a.sock", "b.sock", "a.sock"]


def test_logs_of_this_kind_are_imported_alone() -> None:
    with pytest.raises(SourceError, match="import this one alone"):
        import_logs([("one", ["close(3) = 0"]), ("other", [WRITE])])


HEADER = pack("=QQQ", 0xFFFF_FFFF_FFFF_FFFF, 0xF2B1_77CB_0AA4_29B4, 4)


def mapping(number: int, name: bytes) -> bytes:
    return pack("=QQI", 0, number, len(name)) + name


def happened(number: int, time: int, *arguments: bytes) -> bytes:
    data = b"".join(arguments)
    return pack("=QQQII", 1, number, time, 24 + len(data), 7) + data


TRACE = (
    HEADER
    + mapping(5, b"vhost_user_write")
    + mapping(6, b"vhost_user_read")
    + mapping(7, b"something_else")
    + happened(5, 1_000_000_000, pack("=QQ", 1, 1))
    + happened(7, 1_000_000_500, b"anything")
    + happened(6, 1_000_001_000, pack("=QI", 1, 3) + b"abc" + pack("=Q", 5))
)


def test_a_binary_trace_is_read_like_its_log() -> None:
    assert is_simpletrace(TRACE)
    assert [*lines_of_trace(TRACE)] == [
        "7@1.000000000:vhost_user_write req:1 flags:0x1",
        "7@1.000001000:vhost_user_read req:1 flags:0x5",
    ]


def test_a_binary_trace_that_is_cut_off_is_read_up_to_there() -> None:
    found = [len([*lines_of_trace(TRACE[:size])]) for size in range(len(HEADER), len(TRACE))]

    assert (found[0], found[-1]) == (0, 1)
    assert found == sorted(found)


def test_a_binary_trace_without_names_is_refused() -> None:
    with pytest.raises(SourceError, match="version 3"):
        [*lines_of_trace(pack("=QQQ", 0xFFFF_FFFF_FFFF_FFFF, 0xF2B1_77CB_0AA4_29B4, 3))]


@pytest.mark.parametrize(
    "line",
    [
        "9999-99-99T99:99:99Z something",
        "9999-12-31T23:59:59Z something",
        "VHOST_CONFIG: vhost peer closed",
        "VHOST_CONFIG: processing VHOST_USER_GET_FEATURES succeeded and needs reply.",
        "Size:    99999999999999999999",
        "Flags:   0xffffffffffff",
    ],
)
def test_damaged_lines_are_survived(line: str) -> None:
    assert "front-end: SET_OWNER" in shown(imported("Request: VHOST_USER_SET_OWNER (3)", line, *LIBVHOST[6:]))
