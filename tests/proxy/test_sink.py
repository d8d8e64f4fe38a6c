"""Where a capture goes: what cannot be written is counted and reported, and the capture has whole records."""

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.proxy.harness import in_background
from vudissect.proxy.sink import FileSink, PipeSink, sink_for

RECORD = b"r" * 100


def gap(messages: int, reason: str) -> bytes:
    return f"<{messages} missing: {reason}>".encode().ljust(100, b".")


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """No file may become larger: for the program, this is a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


class File:
    """A file sink, its contents and its warnings."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.said: list[str] = []
        self.sink = FileSink(os.open(path, os.O_WRONLY | os.O_CREAT), path.name, gap, self.said.append)

    @property
    def contents(self) -> bytes:
        return self.path.read_bytes()


class Pipe:
    """A pipe sink with a reader."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.reader, writer = os.pipe()
        self.sink = PipeSink(writer, "pipe", gap, self.said.append)

    def read(self, size: int) -> bytes:
        """Read this much from the pipe, letting the sink write more in between."""
        data = b""
        while len(data) < size:
            data += os.read(self.reader, size - len(data))
            self.sink.write([])
        return data


@pytest.fixture
def file(tmp_path: Path) -> File:
    return File(tmp_path / "capture")


@pytest.fixture
def pipe() -> Pipe:
    return Pipe()


def test_a_file_keeps_everything(file: File) -> None:
    file.sink.write([RECORD] * 10)
    file.sink.write([RECORD])
    assert file.contents == RECORD * 11
    assert file.sink.lost == 0


@pytest.mark.parametrize("limit", [200, 250, 299])
def test_a_full_disk_leaves_whole_records(file: File, limit: int) -> None:
    with file_size_limit(limit):
        file.sink.write([RECORD] * 10)
        assert file.contents == RECORD * 2
        file.sink.write([RECORD] * 5)
    assert file.contents == RECORD * 2
    assert file.sink.lost == 13
    assert len(file.said) == 1
    assert "File too large" in file.said[0]


def test_a_disk_with_room_again_gets_a_gap_record_first(file: File) -> None:
    with file_size_limit(250):
        file.sink.write([RECORD] * 4)
    file.sink.write([RECORD])
    file.sink.write([RECORD])
    assert file.contents == RECORD * 2 + gap(2, "File too large") + RECORD * 2


def test_a_gap_record_that_fits_while_the_records_do_not(file: File) -> None:
    first, second = gap(8, "File too large"), gap(5, "File too large")
    with file_size_limit(250):
        file.sink.write([RECORD] * 10)
    with file_size_limit(350):
        file.sink.write([RECORD] * 5)
    file.sink.write([RECORD])
    assert file.contents == RECORD * 2 + first + second + RECORD
    assert file.sink.lost == 13


def test_a_gap_at_the_end_is_recorded_at_the_end(file: File) -> None:
    with file_size_limit(250):
        file.sink.write([RECORD] * 4)
    file.sink.close()
    assert file.contents == RECORD * 2 + gap(2, "File too large")


def test_a_pipe_that_is_read_gets_everything(pipe: Pipe) -> None:
    pipe.sink.write([RECORD] * 10_000)
    assert pipe.sink.unwritten
    assert pipe.read(len(RECORD) * 10_000) == RECORD * 10_000
    assert not pipe.sink.unwritten
    assert pipe.sink.lost == 0


def test_a_slow_reader_misses_records_and_gets_their_number(pipe: Pipe) -> None:
    sent = 0
    while not pipe.sink.lost:
        pipe.sink.write([RECORD] * 1000)
        sent += 1000
    kept = sent - pipe.sink.lost
    assert pipe.read(len(RECORD) * kept) == RECORD * kept
    pipe.sink.write([RECORD])
    told = gap(sent - kept, "its reader is too slow")
    assert pipe.read(len(told + RECORD)) == told + RECORD
    assert len(pipe.said) == 1


def test_a_slow_reader_costs_bounded_memory(pipe: Pipe) -> None:
    for _ in range(100):
        pipe.sink.write([RECORD] * 1000)
    assert pipe.sink.lost > 50_000


def test_a_reader_that_is_gone_ends_the_recording(pipe: Pipe) -> None:
    os.close(pipe.reader)
    pipe.sink.write([RECORD] * 3)
    pipe.sink.write([RECORD] * 2)
    assert pipe.sink.lost == 5
    assert len(pipe.said) == 1
    assert "Broken pipe" in pipe.said[0]


def test_closing_gives_a_slow_reader_a_last_chance(pipe: Pipe) -> None:
    pipe.sink.write([RECORD] * 1000)
    received: list[bytes] = []
    with in_background(lambda: received.extend(iter(lambda: os.read(pipe.reader, 65536), b""))):
        pipe.sink.close()
    assert b"".join(received) == RECORD * 1000
    assert pipe.sink.lost == 0


def test_the_blocking_mode_of_a_pipe_is_restored() -> None:
    _, writer = os.pipe()
    shared = os.dup(writer)
    PipeSink(writer, "pipe", gap, print).close()
    assert os.get_blocking(shared)


def test_a_pipe_is_distinguished_from_a_file(tmp_path: Path) -> None:
    _, writer = os.pipe()
    opened = os.open(tmp_path / "capture", os.O_WRONLY | os.O_CREAT)
    assert isinstance(sink_for(writer, "", b"preamble", gap, print), PipeSink)
    assert isinstance(sink_for(opened, "", b"preamble", gap, print), FileSink)


def test_a_capture_that_cannot_even_begin() -> None:
    with pytest.raises(OSError, match="No space left"):
        sink_for(os.open("/dev/full", os.O_WRONLY), "full", b"preamble", gap, print)
