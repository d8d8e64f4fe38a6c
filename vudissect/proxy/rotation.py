"""A capture in several files; the newest are kept: a flight recorder.

Each file explains itself: it begins with the records that set up the sessions in it (`proxy/setup.py`). The limits are
exact, also while the next file begins: the oldest file is removed first, and a record that does not fit is the first
one of the next file. Files of an earlier run count, too.
"""

import os
import re
import time
from bisect import bisect_right
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import accumulate

from vudissect.host.output import beginning, write_all
from vudissect.proxy.diagnostics import Throttled, Warn
from vudissect.proxy.setup import SetUp
from vudissect.proxy.sink import FileSink, MakeGap

# The set-up that is repeated may fill this part of a file.
_SHARE_OF_SETUP = 2
_TRY_AGAIN_SECONDS = 1.0
_LONGEST_REASON = "x" * 64


@dataclass(frozen=True, slots=True)
class Rotation:
    """When a file ends, and how many are kept: bytes, seconds, and a number; 0 is no limit."""

    size: int = 0
    seconds: float = 0.0
    files: int = 0


@dataclass(frozen=True, slots=True)
class Records:
    """Makes the records with which a file begins and ends; each call makes new ones.

    `continued` is about the next or the previous file, `lost` about messages of a connection that are not repeated.
    """

    preamble: Callable[[], bytes]
    continued: Callable[[Mapping[str, str | int]], bytes]
    lost: Callable[[int], bytes]


class FileNames:
    """The names of the files of a capture, as dumpcap makes them.

    Those of `boot.pcapng` are like `boot_00001_20260131120000.pcapng`.
    """

    def __init__(self, path: str) -> None:
        self._folder, name = os.path.split(path)
        self._base, self._suffix = os.path.splitext(name)
        self._pattern = re.compile(rf"{re.escape(self._base)}_(\d{{5,}})_\d{{14}}{re.escape(self._suffix)}")

    def __str__(self) -> str:
        return os.path.join(self._folder, f"{self._base}_*{self._suffix}")

    def name(self, number: int, when: float) -> str:
        """The path of a file that begins at a time (s since the epoch)."""
        stamp = time.strftime("%Y%m%d%H%M%S", time.localtime(when))
        return os.path.join(self._folder, f"{self._base}_{number:05}_{stamp}{self._suffix}")

    def existing(self) -> list[tuple[int, str]]:
        """The numbers and paths of the files that are there, oldest first. `OSError` if the folder cannot be read."""
        found = []
        for name in os.listdir(self._folder or "."):
            if match := self._pattern.fullmatch(name):
                found.append((int(match[1]), os.path.join(self._folder, name)))
        return sorted(found)


class RotatingSink:
    """A sink that writes one file after the other; `note` must be called after each `write`.

    Raises `OSError` if the first file cannot be written.
    """

    unwritten = False

    def __init__(self, rotation: Rotation, names: FileNames, records: Records, gap: MakeGap, warn: Warn) -> None:
        self._rotation = rotation
        self._names = names
        self._records = records
        self._gap = gap
        self._warn = warn
        self._warn_of_failure = Throttled(warn)
        self._setup = SetUp()
        existing = names.existing()
        self._number = existing[-1][0] if existing else 0
        self._kept = [path for _, path in existing]
        self._lost_between = 0
        self._lost_before = 0
        self._reason = ""
        self._size = self._reserved = 0
        self._is_new = True
        self._has_seen = False
        self._until = 0.0
        self._file: FileSink | None = None
        self.path = ""
        """The file that is being written, or was last."""
        self.wrote = False
        """Whether there was any record."""
        self._begin(self._next_name(), "")

    @property
    def lost(self) -> int:
        """How many records could not be kept."""
        return self._lost_before + (self._file.lost if self._file is not None else 0)

    @property
    def files(self) -> tuple[str, ...]:
        """The files that are there, oldest first."""
        return tuple(self._kept)

    def write(self, records: list[bytes]) -> None:
        """Write them, with one system call unless they do not fit into one file."""
        if not records:
            if self._file is not None:
                self._file.write(records)
            return
        self.wrote = True
        self._has_seen = False
        if time.monotonic() >= self._until:
            self._rotate()
        data = b"".join(records)
        if self._rotation.size and len(data) > self._room:
            self._rotate()
        if not self._rotation.size or len(data) <= self._room:
            self._put(records, data)
        else:
            self._write_in_parts(records)

    def end_file(self) -> None:
        """End the file that is being written, and begin the next."""
        self._rotate()

    def note(self, runs: list[list[bytes]], recorded: list[list[bytes]]) -> None:
        """Take note of what was written last, as for `SetUp.see`."""
        if not self._has_seen:
            self._setup.see(runs, recorded)

    def _write_in_parts(self, records: list[bytes]) -> None:
        """Write more records than fit into a new file."""
        self._has_seen = True
        while records:
            ends = list(accumulate(map(len, records)))
            fitting = bisect_right(ends, self._room)
            if fitting:
                self._put(records[:fitting], b"".join(records[:fitting]))
                self._setup.see_blocks(records[:fitting])
                records = records[fitting:]
            elif self._file is not None and not self._is_new:
                self._rotate()
            else:
                self._miss(1, "a message is longer than a file may be")
                self._setup.see_blocks(records[:1])
                records = records[1:]

    def close(self) -> None:
        """Close the last file."""
        if self._file is not None:
            self._file.close()

    @property
    def _room(self) -> int:
        return self._rotation.size - self._size

    def _put(self, records: list[bytes], data: bytes) -> None:
        if self._file is None:
            self._miss(len(records), self._reason)
            return
        lost = self._file.lost
        self._file.write_joined(records, data)
        self._size += len(data)
        if self._file.lost != lost:
            # A record about what is missing will come as well.
            with suppress(OSError):
                self._size = os.stat(self.path).st_size + self._reserved
        self._is_new = False

    def _miss(self, records: int, reason: str) -> None:
        if not self.lost:
            self._warn(f"{self._names}: {reason}: the traffic continues, but messages will be missing there")
        self._lost_before += records
        self._lost_between += records
        self._reason = reason

    def _next_name(self) -> str:
        return self._names.name(self._number + 1, time.time())

    def _rotate(self) -> None:
        """End the file and begin the next; if that fails, there is none, and it is tried again a little later."""
        previous, name = self.path, self._next_name()
        if self._file is not None:
            self._file.write([self._records.continued({"next": os.path.basename(name)})])
            self._lost_before += self._file.lost
            self._file.close()
            self._file = None
        try:
            self._begin(name, previous)
        except OSError as error:
            self._reason = f"the next file cannot be written: {error.strerror}"
            self._warn_of_failure(f"{name}: {self._reason}")
            self._size = 0
            self._until = time.monotonic() + _TRY_AGAIN_SECONDS

    def _begin(self, name: str, previous: str) -> None:
        """Begin a file, after as many old ones are removed as must be."""
        while self._rotation.files and len(self._kept) >= self._rotation.files:
            oldest = self._kept[0]
            with suppress(FileNotFoundError):
                os.unlink(oldest)
            del self._kept[0]
        preamble = self._records.preamble()
        # The last record of the file needs room, too, and one about records that the disk had no room for.
        last = self._records.continued({"next": os.path.basename(name)})
        self._reserved = len(last) + len(self._gap(1 << 32, _LONGEST_REASON))
        most = self._rotation.size // _SHARE_OF_SETUP if self._rotation.size else 1 << 62
        repeated, partial = self._setup.repeated(time.time_ns(), most)
        begin = [*repeated, *map(self._records.lost, partial)]
        if previous:
            details: dict[str, str | int] = {"previous": os.path.basename(previous), "repeated": len(repeated)}
            begin.append(self._records.continued(details))
        if self._lost_between:
            begin.append(self._gap(self._lost_between, self._reason))
        whole = preamble + b"".join(begin)
        with beginning(name) as fd:
            try:
                write_all(fd, whole)
            except OSError:
                os.close(fd)
                raise
            self._file = FileSink(fd, name, self._gap, self._warn)
        self._lost_between = 0
        self._number += 1
        self._kept.append(name)
        self.path = name
        self._size = len(whole) + self._reserved
        self._is_new = True
        self._until = time.monotonic() + self._rotation.seconds if self._rotation.seconds else float("inf")
