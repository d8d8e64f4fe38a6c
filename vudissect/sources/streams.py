"""The bytes of one direction at one end of a channel, with those that a log does not show, split into messages."""

from dataclasses import dataclass
from typing import Final

from vudissect.protocol.marks import Mark
from vudissect.sources.files import File
from vudissect.sources.system_calls import Transfer
from vudissect.wire.framing import Framer, Piece, Rights
from vudissect.wire.header import HEADER_SIZE, detect_byte_order, struct_of

_MOST_KEPT: Final = 1 << 18
# What a log does not show: whether bytes had arrived together.
_OF_ARRIVAL: Final = int(Mark.SPLIT | Mark.GLUED)
# For the framer, which only needs to know that there are some.
_RIGHTS: Final[Rights] = [(0, 0, b"")]


@dataclass(frozen=True, slots=True)
class Framed:
    """A message of `length` bytes that begins with `data`: up to the first byte that the log does not show."""

    data: bytes
    length: int
    marks: int
    files: tuple[File, ...]
    time: int


@dataclass(frozen=True, slots=True)
class OutOfStep:
    """The log does not show a header: where messages begin is unknown until the next call that begins with one."""

    bytes: int
    time: int


class Stream:
    """Splits what one end sends or receives."""

    def __init__(self, *, is_sent: bool) -> None:
        self._marks = ~0 if is_sent else ~_OF_ARRIVAL
        self._framer = Framer()
        self._passed: tuple[File, ...] = ()
        self._begin()

    def feed(self, transfer: Transfer) -> list[Framed | OutOfStep]:
        """The messages that end with this transfer."""
        found: list[Framed | OutOfStep] = []
        data, known = transfer.data, transfer.known
        with_files = self._where_files_are(transfer) if transfer.files else 0
        place = 0
        while place < len(data):
            if self._framer.aligned:
                self._begin()
            size = self._framer.needed
            part = data[place : place + size]
            if len(self._data) < HEADER_SIZE and b"\0" in known[place : place + min(size, HEADER_SIZE)]:
                self._framer = Framer(self._framer.byte_order)
                self._begin()
                return [*found, OutOfStep(len(data) - place, transfer.time)]
            here = transfer.files if place == with_files else ()
            lost = transfer.lost and place == with_files
            pieces = self._framer.feed(part, _RIGHTS if here else None, lost, together=place > 0)
            self._keep(part, known[place : place + size], transfer)
            self._passed = (*self._passed, *here)
            place += len(part)
            found += self._completed(pieces)
        return found

    def finish(self) -> Framed | None:
        """The beginning of a message that was never completed."""
        if self._framer.aligned:
            return None
        piece = self._framer.finish()
        return self._framed(piece.marks) if piece is not None else None

    def _begin(self) -> None:
        self._data = bytearray()
        self._cut = False
        self._length = 0
        self._passed = ()
        self._time = 0
        self._kept_marks = 0

    def _keep(self, part: bytes, known: bytes, transfer: Transfer) -> None:
        self._length += len(part)
        self._time = transfer.time
        if not self._cut:
            shown = known.find(b"\0")
            self._cut = shown >= 0
            self._data += part if shown < 0 else part[:shown]
            del self._data[_MOST_KEPT:]

    def _completed(self, pieces: list[bytes | Piece]) -> list[Framed]:
        found = []
        for piece in pieces:
            if isinstance(piece, Piece):
                self._kept_marks |= piece.marks
                if not piece.end:
                    continue
            found.append(self._framed(0))
        return found

    def _framed(self, marks: int) -> Framed:
        marks = (self._kept_marks | marks) & self._marks
        return Framed(bytes(self._data), self._length, marks, self._passed, self._time)

    def _where_files_are(self, transfer: Transfer) -> int:
        """The place in the bytes that the files came with.

        The first one for a sender. The kernel ends a read after the bytes that brought files, but it may begin
        earlier: with older messages.
        """
        if transfer.is_sent or not self._framer.aligned:
            return 0
        place, data = 0, transfer.data
        order = self._framer.byte_order or detect_byte_order(data) or "little"
        while place + HEADER_SIZE <= len(data):
            _, _, size = struct_of("III", order).unpack_from(data, place)
            if place + HEADER_SIZE + size >= len(data):
                break
            place += HEADER_SIZE + size
        return place
