"""Which frames of a long capture are in its page."""

from collections.abc import Iterator

import pytest

from tests.conversation import Conversation
from vudissect.analysis import Analysis, Judged
from vudissect.lint.finding import Blame, Finding, Severity
from vudissect.report import parts
from vudissect.report.parts import Chunk, Parts


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of ten frames, and two of them at each end of a long capture."""
    monkeypatch.setattr(parts, "IN_A_CHUNK", 10)
    monkeypatch.setattr(parts, "AT_AN_END", 20)


def session(frames: int, *broken: int, severity: Severity = Severity.WARNING) -> Iterator[Judged]:
    """So many frames, some of them with a finding."""
    talk = Conversation()
    for _ in range(frames):
        talk.front_end("GET_FEATURES")
    for event, _ in Analysis([*talk.records], rules=()):
        frame = event.record.frame
        finding = Finding("VU-X-01", severity, Blame.UNKNOWN, 1, frame, (), "something", "a source")
        yield event, [finding] if frame in broken else []


def first(chunk: Chunk) -> int:
    """The first frame of a chunk."""
    return chunk.judged[0][0].record.frame


def test_a_short_capture_is_whole() -> None:
    assert Parts(60).chosen(session(55), first) == [1, 11, 21, 31, 41, 51]
    assert Parts(60).chosen(session(60), first) == [1, 11, 21, 31, 41, 51]


def test_of_a_long_one_the_ends_are_there() -> None:
    assert Parts(60).chosen(session(61), first) == [1, 11, 41, 51, 61]
    assert Parts(60).chosen(session(200), first) == [1, 11, 171, 181, 191]


@pytest.mark.parametrize("frame", [35, 135])
def test_what_is_around_a_finding_is_there(frame: int) -> None:
    start = frame // 10 * 10 + 1

    assert Parts(60).chosen(session(200, frame), first) == [1, 11, start - 10, start, start + 10, 171, 181, 191]


def test_a_remark_is_not_something_to_look_for() -> None:
    assert Parts(60).chosen(session(200, 135, severity=Severity.INFO), first) == [1, 11, 171, 181, 191]


def test_findings_everywhere_do_not_make_it_as_long_as_the_capture() -> None:
    found = Parts(60).chosen(session(1000, *range(1, 1001)), first)

    assert found == [1, 11, 21, 31, 41, 51, 971, 981, 991]


def test_only_some_frames() -> None:
    assert Parts(60, first=15, last=34).chosen(session(200), first) == [15, 25]
    assert Parts(60, first=500).chosen(session(200), first) == []


def test_a_chunk_knows_which_connections_were_open() -> None:
    talk = Conversation()
    talk.open("qemu", "dpdk")
    for _ in range(8):
        talk.front_end("GET_FEATURES")
    talk.close("front-end")
    judged = Analysis([*talk.records], rules=())

    assert Parts(60, first=5).chosen(judged, lambda chunk: chunk.open) == [{1}]


def test_a_connection_is_not_open_before_its_first_message() -> None:
    assert Parts(60).chosen(session(11), lambda chunk: chunk.open) == [frozenset(), {1}]
