"""Compares tshark with the plugin to the project's own decoder: every field of every frame.

tshark prints all fields of the plugin as columns, which is its fastest format, and reads the file twice, so
that a request knows its answer.
"""

import os
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from itertools import zip_longest
from pathlib import Path
from typing import BinaryIO, NamedTuple

from vudissect.capture.record import RecordKind
from vudissect.session.event import Event
from vudissect.wireshark.expected import Value, expected
from vudissect.wireshark.fields import Kind
from vudissect.wireshark.generate import NAME, plugin
from vudissect.wireshark.names import joined
from vudissect.wireshark.tables import Tables

# No text contains these: control characters are escaped.
_BETWEEN_VALUES = "\x01"
_BETWEEN_FIELDS = "\x02"
_NUMBER = "frame.number"
_ERRORS = "_ws.lua.error"

# Shown elsewhere, or part of another field.
_NOT_COMPARED = frozenset(
    map(joined, ("record.version", "record.header_length", "rule", "rule.finding", "unanswered", "unanswered.request"))
)
_RESPONSE_IN = joined("response_in")
_WORD = (1 << 64) - 1
_NUMBERS = (Kind.U32, Kind.U64, Kind.I32, Kind.I64, Kind.FRAME)


class CheckError(RuntimeError):
    """The comparison failed; one line."""


class Difference(NamedTuple):
    """A field that is not shown as it is decoded here; values as lists, in order."""

    frame: int
    field: str
    ours: list[Value]
    theirs: list[Value]


class Frame(NamedTuple):
    """What tshark shows of a frame: the values of each field, without the fields that it does not have."""

    number: int
    fields: dict[str, list[Value]]


def tshark_frames(capture: str, *options: str) -> Iterator[Frame]:
    """Every frame as tshark shows it with the plugin; `options` are passed to tshark. Raises `CheckError`."""
    kinds = _kinds()
    names = (_NUMBER, _ERRORS, *kinds)
    with tempfile.TemporaryDirectory(prefix="vudissect-") as home:
        script = Path(home, NAME)
        script.write_text(plugin(), "utf-8")
        command = ["tshark", "-2", "-n", "-r", capture, "-X", f"lua_script:{script}", *options, "-T", "fields"]
        command += ["-E", f"separator={_BETWEEN_FIELDS}", "-E", f"aggregator={_BETWEEN_VALUES}"]
        command += [part for name in names for part in ("-e", name)]
        with open(Path(home, "errors"), "w+b") as errors:
            with _started(command, home, errors) as tshark:
                assert tshark.stdout is not None
                for line in tshark.stdout:
                    yield _frame(line.decode("utf-8", "backslashreplace").rstrip("\n"), kinds)
            errors.seek(0)
            output = errors.read().decode("utf-8", "backslashreplace")
        if tshark.returncode:
            raise CheckError(f"tshark ended with status {tshark.returncode}: {_last_line(output)}")


@cache
def _kinds() -> dict[str, Kind]:
    """The type of each field of the plugin that is compared."""
    tables = Tables()
    tables.lua()
    return {field.name: field.kind for field in tables.catalogue.fields if field.name not in _NOT_COMPARED}


def _started(command: Sequence[str], home: str, errors: BinaryIO) -> subprocess.Popen[bytes]:
    # A separate home: the user's configuration and other plugins must not affect the output.
    environment = {"HOME": home, "PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8"}
    try:
        return subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors
        )
    except FileNotFoundError:
        raise CheckError("tshark is not installed: apt-get install tshark") from None


def _frame(line: str, kinds: dict[str, Kind]) -> Frame:
    number, error, *columns = line.split(_BETWEEN_FIELDS)
    if error:
        raise CheckError(f"frame {number}: the plugin failed: {error}")
    return Frame(
        int(number),
        {
            name: [_value(kind, text) for text in column.split(_BETWEEN_VALUES)]
            for (name, kind), column in zip(kinds.items(), columns, strict=True)
            if column
        },
    )


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["without an error message"])[-1]


def _value(kind: Kind, text: str) -> Value:
    if kind in _NUMBERS:
        return int(text, 0)
    if kind is Kind.BOOL:
        return text in ("1", "True")
    if kind is Kind.TIME:
        sign = -1 if text.startswith("-") else 1
        seconds, _, rest = text.lstrip("-").partition(".")
        return sign * (int(seconds) * 1_000_000_000 + int(rest.ljust(9, "0")))
    if kind is Kind.NONE:
        return ""  # of key material only the place is shown
    if kind in (Kind.BYTES, Kind.MAC, Kind.UUID):
        return text.replace(":", "").replace("-", "")
    return text


def compare(
    frames: Iterable[Frame], events: Iterable[Event], shown: Callable[[str], str]
) -> Iterator[tuple[Event, list[Difference]]]:
    """Each event with the fields that tshark shows differently; `shown` escapes text as people see it.

    The frame that answers a request is known once the answer has come; a request is compared then, or at the end.
    """
    held: dict[int, tuple[Event, dict[str, list[Value]], Frame]] = {}
    for event, frame in zip_longest(events, frames):
        if event is None or frame is None:
            where = frame.number if frame is not None else event.record.frame
            raise CheckError(f"only one of the two has frame {where}")
        ours: dict[str, list[Value]] = {}
        for name, value in expected(event):
            ours.setdefault(name, []).append(shown(value) if isinstance(value, str) else value)
        if event.request is not None and event.request.frame in held:
            asked, its_ours, its_frame = held.pop(event.request.frame)
            its_ours[_RESPONSE_IN] = [event.record.frame]
            yield asked, _differences(asked, its_ours, its_frame)
        if event.awaits and event.record.kind is RecordKind.MESSAGE:
            held[event.record.frame] = (event, ours, frame)
        else:
            yield event, _differences(event, ours, frame)
    for event, ours, frame in held.values():
        yield event, _differences(event, ours, frame)


def _differences(event: Event, ours: dict[str, list[Value]], frame: Frame) -> list[Difference]:
    found = []
    if event.record.frame != frame.number:
        raise CheckError(f"frame {event.record.frame} is numbered {frame.number} by tshark")
    for name in (*ours, *(name for name in frame.fields if name not in ours)):
        mine, theirs = ours.get(name, []), frame.fields.get(name, [])
        if _plain(mine) != _plain(theirs):
            found.append(Difference(event.record.frame, name, mine, theirs))
    return found


def _plain(values: list[Value]) -> list[Value]:
    """Values in a form that does not depend on how they are displayed.

    An empty value is the same as a missing one: both are an empty column. A filter name shared by signed and unsigned
    fields is signed.
    """
    return [value & _WORD if isinstance(value, int) else value for value in values if value != ""]
