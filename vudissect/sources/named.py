"""Logs that name messages: QEMU's traces, libvhost-user, DPDK, and back-ends in Rust. Lines to messages.

The formats are from the output of QEMU 7.2 and 10.0 and DPDK 22.11; those of libvhost-user, rust-vmm and the traces
with names are from public logs. docs/import.md has examples.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from vudissect.protocol.model import Channel, Row, Side
from vudissect.protocol.table import UPSTREAM
from vudissect.sources.strace import MOST_TIME, SECOND
from vudissect.wire.header import REPLY


@dataclass(frozen=True, slots=True)
class Named:
    """A message whose number is in a log; the rest may be unknown.

    `socket` distinguishes connections where the log does. `size` is that of the payload, -1 if it is unknown.
    `passed` is the number of descriptors. `time` is in ns since the epoch, 0 if the log has none.
    """

    sender: Side
    number: int
    flags: int
    size: int = -1
    passed: int = 0
    socket: str = ""
    time: int = 0


@dataclass(frozen=True, slots=True)
class HungUp:
    """The other side has closed the connection."""

    socket: str
    time: int


_TIME: Final = re.compile(
    r"(?:^\d+@(?P<epoch>\d{1,10}\.\d{1,9}):)"
    r"|(?P<iso>\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?)"
)
_QEMU: Final = re.compile(
    r"(?:^|[:\s])vhost_user_(?P<what>read|write) req:(?:(?P<number>\d{1,9})(?: \((?P<name>\w*)\))?|(?P<alone>\w+)) "
    r"flags:0x(?P<flags>[0-9a-f]{1,8})\b"
)
_DPDK: Final = re.compile(r"VHOST_CONFIG: (?:\((?P<socket>[^)]*)\) ?)?read message (?P<name>VHOST_USER_\w+)")
_DPDK_ANY: Final = re.compile(r"VHOST_CONFIG: .{0,300}?(?:read message|processing) VHOST_USER_")
_DPDK_DONE: Final = re.compile(
    r"VHOST_CONFIG: (?:\((?P<socket>[^)]*)\) ?)?processing (?P<name>VHOST_USER_\w+) (?:succeeded|failed)"
    r"(?P<reply> and needs reply)?"
)
_DPDK_CLOSED: Final = re.compile(r"VHOST_CONFIG: (?:\((?P<socket>[^)]*)\) ?)?vhost peer closed")
_RUST: Final = re.compile(r"vhost-user: request Ok\((?P<name>\w+)\)")
_LIBVHOST: Final = re.compile(r"Request: (?P<name>\w+) \((?P<number>\d{1,9})\)")
_LIBVHOST_FACT: Final = re.compile(r"(?P<what>Flags|Size|Fds): +(?P<value>.*)")
_HEXADECIMAL: Final = 16

SOURCES: Final = {
    "QEMU trace": (_QEMU, Side.FRONT_END),
    "DPDK log": (_DPDK_ANY, Side.BACK_END),
    "libvhost-user log": (_LIBVHOST, Side.BACK_END),
    "rust-vmm log": (_RUST, Side.BACK_END),
}
"""The kinds of logs, the line that shows each, and the side that writes it."""


class NamedLog:
    """Reads a log line by line. `source` is its kind, a key of `SOURCES`, "" as long as that is unknown."""

    def __init__(self) -> None:
        self.source = ""
        self.answers = False
        """Whether the log has answers, too."""
        self._begun: Named | None = None
        self._time = 0

    def feed(self, line: str) -> Iterator[Named | HungUp]:
        """The messages that are complete with this line."""
        self._read_time(line)
        if not self.source:
            self.source = next((name for name, (pattern, _) in SOURCES.items() if pattern.search(line)), "")
        if match := _QEMU.search(line):
            yield from self._qemu(match)
        elif match := _DPDK.search(line):
            yield from self._request(match["name"], match["socket"] or "")
        elif (match := _DPDK_DONE.search(line)) is not None:
            self.answers = True
            if match["reply"]:
                row = _row(match["name"], Channel.MAIN)
                if row is not None:
                    yield Named(Side.BACK_END, row.id, row.version | REPLY, -1, 0, match["socket"] or "", self._time)
        elif match := _DPDK_CLOSED.search(line):
            yield HungUp(match["socket"] or "", self._time)
        elif match := _RUST.search(line):
            yield from self._request(match["name"], "")
        elif match := _LIBVHOST.search(line):
            yield from self.finish()
            self._begun = Named(Side.FRONT_END, int(match["number"]), 0, time=self._time)
        elif self._begun is not None:
            yield from self._libvhost(self._begun, line.strip())

    def finish(self) -> Iterator[Named]:
        """The message that has begun, at the end of the log."""
        if self._begun is not None and self._begun.flags:
            yield self._begun
        self._begun = None

    def _qemu(self, match: re.Match[str]) -> Iterator[Named]:
        self.answers = True
        row = None if match["number"] else _row(match["alone"], Channel.MAIN)
        number = int(match["number"]) if match["number"] else row.id if row is not None else None
        if number is not None:
            sender = Side.BACK_END if match["what"] == "read" else Side.FRONT_END
            yield Named(sender, number, int(match["flags"], _HEXADECIMAL), time=self._time)

    def _request(self, name: str, socket: str) -> Iterator[Named]:
        row = _row(name, Channel.MAIN)
        if row is not None:
            yield Named(Side.FRONT_END, row.id, row.version, -1, 0, socket, self._time)

    def _libvhost(self, begun: Named, line: str) -> Iterator[Named]:
        """A line after the first one about a message of libvhost-user: flags, size, descriptors, then others."""
        match = _LIBVHOST_FACT.match(line)
        if match is None:
            yield from self.finish()
            return
        value, flags, size, passed = match["value"], begun.flags, begun.size, begun.passed
        if match["what"] == "Fds":
            passed = len(value.split())
        elif match["what"] == "Size" and value.isdecimal():
            size = int(value[:9])
        elif re.fullmatch("0x[0-9a-f]{1,8}", value):
            flags = int(value, _HEXADECIMAL)
        self._begun = Named(begun.sender, begun.number, flags, size, passed, "", begun.time)

    def _read_time(self, line: str) -> None:
        match = _TIME.search(line)
        if match is None:
            return
        if match["epoch"]:
            seconds, _, fraction = match["epoch"].partition(".")
            self._time = int(seconds) * SECOND + int(fraction.ljust(9, "0"))
        else:
            try:
                time = datetime.fromisoformat(match["iso"])
            except ValueError:  # it only looks like a time
                return
            self._time = min(max(0, round(time.timestamp() * 1e6) * 1000), MOST_TIME)


def _row(name: str, channel: Channel) -> Row | None:
    """The message of this name, old or new."""
    return next((row for row in UPSTREAM.find(name) if row.channel is channel), None)
