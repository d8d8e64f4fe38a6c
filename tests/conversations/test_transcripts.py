"""Every transcript is a conversation: composed, it makes a capture that has the same transcript."""

import io
import os
import pty
import re
import subprocess
import sys
import termios
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.cli.program import run
from tests.interop.scenarios import SCENARIOS
from vudissect.analysis import Analysis, read
from vudissect.capture.reader import read_capture
from vudissect.capture.record import Mark, Record
from vudissect.conversation.text import read_conversation
from vudissect.lint.page import page_of
from vudissect.lint.rules import ALL_RULES
from vudissect.protocol.model import Channel, Layout, Meaning, Side
from vudissect.render.format import Ending, Shown
from vudissect.render.formats import formats_of
from vudissect.render.style import Style
from vudissect.session.session import Session, foresee
from vudissect.wire.layout import Values

ROOT = Path(__file__).parents[2]
CAPTURES = sorted(ROOT.glob("captures/*.pcapng")) + sorted(ROOT.glob("docs/example/captures/*.pcapng"))
TALKS = {
    **{scenario.path.stem: scenario.text for scenario in SCENARIOS},
    **{f"{rule.id}-broken": page_of(rule.id).broken.conversation for rule in ALL_RULES},
    **{f"{rule.id}-near": page_of(rule.id).near.conversation for rule in ALL_RULES},
}

NOT_SHOWN = {Meaning.PADDING, Meaning.LEFTOVER, Meaning.PIXELS}


def records_of(text: str) -> Iterator[Record]:
    return read_capture(io.BytesIO(read_conversation(text).capture()))


def transcript(records: Iterable[Record], width: int = 0) -> str:
    """What `vudissect show` prints, in a pipe or on a terminal of this width."""
    analysis = Analysis(records)

    def ending() -> Ending:
        return Ending(analysis.finish(), analysis.session.unanswered())

    shown = Shown(analysis, ending, analysis.session.dialect, Style(False, width))
    return "".join(formats_of(Shown)["text"].render(shown))


class Said(NamedTuple):
    """What a transcript shows of a record."""

    frame: int
    connection: int
    channel: Channel
    sender: Side
    time: int
    name: str
    contents: list[Any]
    length: int
    marks: int
    descriptors: list[tuple[Any, ...]]


def said(records: Iterable[Record]) -> Iterator[Said]:
    """What text can carry of each record: times in microseconds, without padding, without the names of sockets."""
    records = list(records)
    first = records[0].received
    for event in Session(known=foresee(records), detect=True).events(records):
        record, message = event.record, event.message
        yield Said(
            record.frame,
            record.connection,
            record.channel,
            record.sender,
            round((record.received - first) / 1000),
            message.name if message is not None else record.kind.name,
            [] if message is None else shown(message.layout, message.values) if message.fits else [message.data],
            record.length,
            record.marks & ~Mark.GLUED,
            [(each.kind, each.size, each.page_size) for each in record.descriptors],
        )


def shown(layout: Layout, values: Values) -> list[Any]:
    """The values that mean something and are in a transcript."""
    some: list[Any] = [
        value for field, value in zip(layout.fields, values, strict=False) if field.meaning not in NOT_SHOWN
    ]
    for rest in values[len(layout.fields) :]:
        if layout.array is not None:
            some += [shown(layout.array.entry, entry) for entry in rest]
        elif layout.tail is not None and layout.tail.field.meaning not in NOT_SHOWN:
            some.append(rest)
    return some


def assert_same(text: str, records: list[Record]) -> None:
    """Composed again, the text of these records has the same messages, and is the same text, also from a terminal."""
    on_terminal = transcript(records, 80)
    again = list(records_of(text))

    assert list(said(again)) == list(said(records))
    assert transcript(again) == text
    assert max(map(len, on_terminal.splitlines())) <= 80
    assert transcript(records_of(on_terminal)) == text


@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.stem)
def test_a_transcript_of_a_real_session_is_a_conversation(path: Path) -> None:
    records = list(read(path))

    assert_same(transcript(records), records)


@pytest.mark.parametrize("talk", TALKS.values(), ids=TALKS)
def test_a_transcript_of_a_conversation_is_a_conversation(talk: str) -> None:
    records = list(records_of(talk))

    assert_same(transcript(records), records)


def test_in_a_pipe() -> None:
    text = run("show", str(ROOT / "captures" / "qemu-10.0-gpu.pcapng")).stdout
    capture = run("compose", "-", stdin=text).stdout

    assert run("show", "-", stdin=capture).stdout == text


@pytest.mark.parametrize("columns", [80, 120])
def test_on_a_terminal(columns: int) -> None:
    """Wrapped at its width, and in colour."""
    file = str(ROOT / "captures" / "qemu-10.0-gpu.pcapng")
    end, terminal = pty.openpty()
    termios.tcsetwinsize(terminal, (24, columns))
    command = [sys.executable, "-m", "vudissect.cli", "show", file]
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "NO_COLOR")}
    with subprocess.Popen(command, stdout=terminal, cwd=ROOT, env=environment | {"TERM": "xterm"}) as process:
        os.close(terminal)
        shown = b"".join(iter(lambda: read_terminal(end), b"")).decode().replace("\r\n", "\n")
    os.close(end)

    plain = re.sub(r"\x1b\[[\d;]*m", "", shown)
    assert process.returncode == 0
    assert shown != plain
    assert columns - 20 < max(map(len, plain.splitlines())) <= columns
    assert transcript(records_of(plain)) == run("show", file).stdout.decode()


def read_terminal(end: int) -> bytes:
    """What comes next from a program on a terminal; nothing after it has ended."""
    try:
        return os.read(end, 65536)
    except OSError:
        return b""
