"""Every capture, with both sides replayed and `vuproxy` between them: the new capture equals the old one."""

import signal
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from operator import itemgetter
from pathlib import Path
from typing import Any

import pytest

from vudissect.capture.files import open_capture
from vudissect.capture.reader import read_capture
from vudissect.capture.record import Mark, Record, RecordKind
from vudissect.compare.outcome import Outcome
from vudissect.replay import Dial, Listen, Options, Side, replay, script_of

CAPTURES = sorted((Path(__file__).parents[2] / "captures").glob("*.pcapng"))
PATIENCE = Options(timeout=30)
_KEPT = 64


def read(path: Path) -> list[Record]:
    with open_capture(str(path)) as stream:
        return list(read_capture(stream))


def channel_by_channel(records: list[Record]) -> list[Any]:
    """The messages, in the order of each channel."""
    return sorted(said(records), key=itemgetter(0, 1))


def said(records: Iterable[Record]) -> Iterator[tuple[Any, ...]]:
    """The messages, channel by channel: the order of messages on two sockets is not fixed.

    Without times and numbers of descriptors: the same object has the same place in order of appearance. Files on a
    disk have other names, and the division of messages into reads is accidental.
    """
    places: dict[str, int] = {}
    for record in sorted(records, key=lambda record: (record.connection, record.channel)):
        if record.kind is not RecordKind.MESSAGE:
            continue
        descriptors = tuple(
            (
                descriptor.kind,
                descriptor.size,
                descriptor.page_size,
                descriptor.seals,
                places.setdefault(descriptor.identity or f"{record.frame}", len(places)),
            )
            for descriptor in record.descriptors
        )
        marks = record.marks & (Mark.DESCRIPTORS_LOST | Mark.CUT_SHORT | Mark.NOT_FORWARDED | Mark.BIG_ENDIAN)
        # If a message was not kept completely, only its beginning is known.
        data = record.data if len(record.data) == record.length else record.data[:_KEPT]
        yield record.connection, record.channel, record.sender, record.length, data, marks, descriptors


Session = tuple[list[Record], dict[Side, Outcome], list[Record]]


@pytest.fixture(scope="module", params=CAPTURES, ids=lambda path: path.stem)
def session(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Session:
    """The records of a capture, the outcomes of playing both of its sides, and the records of that session."""
    folder = tmp_path_factory.mktemp("replay")
    front, back, capture = folder / "front.sock", folder / "back.sock", folder / "again.pcapng"
    records = read(request.param)
    outcomes: dict[Side, Outcome] = {}

    def play_back_end() -> None:
        outcomes[Side.BACK_END] = replay(script_of(records, Side.BACK_END), waiting, None, PATIENCE)

    with Listen.at(str(back)) as waiting:
        command = [sys.executable, "-m", "vudissect.cli.vuproxy", "--listen", str(front), "--connect", str(back)]
        with subprocess.Popen([*command, "-w", str(capture), "-q"], stderr=subprocess.PIPE) as proxy:
            try:
                player = threading.Thread(target=play_back_end)
                player.start()
                script = script_of(records, Side.FRONT_END)
                outcomes[Side.FRONT_END] = replay(script, Dial.at(str(front)), None, PATIENCE)
                player.join()
            finally:
                proxy.send_signal(signal.SIGTERM)
                proxy.communicate(timeout=30)
    return records, outcomes, read(capture)


def test_neither_side_reports_a_difference(session: Session) -> None:
    _, outcomes, _ = session

    assert [outcomes[side].differences for side in (Side.FRONT_END, Side.BACK_END)] == [[], []]


def test_nothing_is_left_over(session: Session) -> None:
    _, outcomes, _ = session

    assert [(outcome.unplayed, outcome.unmatched) for outcome in outcomes.values()] == [([], 0)] * 2


def test_the_new_capture_has_the_same_messages_as_the_old_one(session: Session) -> None:
    records, _, again = session

    # The order of two messages that are sent on two channels at once is not fixed.
    assert channel_by_channel(again) == channel_by_channel(records)
