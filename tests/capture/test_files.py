"""Captures from files, pipes, compressed files, and files that grow."""

import gzip
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from tests.capture.examples import conversation, read, read_until_error
from vudissect.capture.files import FollowedFile, open_capture
from vudissect.capture.reader import CaptureError, TruncatedCapture, read_capture
from vudissect.capture.record import Record

CAPTURE = b"".join(conversation())


def saved(folder: Path, content: bytes) -> str:
    path = folder / "capture"
    path.write_bytes(content)
    return str(path)


def opened(path: str) -> list[Record]:
    with open_capture(path) as stream:
        return list(read_capture(stream))


def opened_until_error(path: str) -> tuple[list[Record], Exception | None]:
    with open_capture(path) as stream:
        return read_until_error(stream)


def compressed_in_frames(content: bytes) -> bytes:
    """Two zstd frames, one after the other."""
    half = len(content) // 2
    return zstandard.compress(content[:half]) + zstandard.compress(content[half:])


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(CAPTURE, id="plain"),
        pytest.param(gzip.compress(CAPTURE), id="gzip"),
        pytest.param(gzip.compress(CAPTURE[:99]) + gzip.compress(CAPTURE[99:]), id="gzip in members"),
        pytest.param(zstandard.compress(CAPTURE), id="zstd"),
        pytest.param(compressed_in_frames(CAPTURE), id="zstd in frames"),
    ],
)
def test_a_capture_opens_compressed_or_not(tmp_path: Path, content: bytes) -> None:
    assert opened(saved(tmp_path, content)) == read(CAPTURE)


@pytest.mark.parametrize("content", [CAPTURE, gzip.compress(CAPTURE), zstandard.compress(CAPTURE)])
def test_a_dash_is_standard_input(content: bytes) -> None:
    program = (
        "from vudissect.capture.files import open_capture\n"
        "from vudissect.capture.reader import read_capture\n"
        "print(*(record.frame for record in read_capture(open_capture('-'))))"
    )

    done = subprocess.run([sys.executable, "-c", program], input=content, capture_output=True, timeout=60)

    assert done.stdout == b"1 2 3 4 5 6\n", done.stderr


def test_a_missing_path_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        open_capture(str(tmp_path / "missing"))


def test_an_impossible_path_is_an_os_error_too() -> None:
    with pytest.raises(OSError, match="Invalid argument"):
        open_capture("a\0b")


def test_an_empty_file_is_not_a_capture(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match="empty"):
        opened(saved(tmp_path, b""))


def test_a_gzip_file_that_ends_early_gives_the_records_before(tmp_path: Path) -> None:
    # Stored without compression, so that it has whole records.
    stored = gzip.compress(CAPTURE, compresslevel=0)

    got, error = opened_until_error(saved(tmp_path, stored[: -len(CAPTURE) // 4]))

    assert got == read(CAPTURE)[: len(got)] != []
    assert isinstance(error, TruncatedCapture)


def test_a_zstd_file_that_ends_early_gives_the_records_before(tmp_path: Path) -> None:
    in_two_frames = zstandard.compress(CAPTURE[:-60]) + zstandard.compress(CAPTURE[-60:])

    got, error = opened_until_error(saved(tmp_path, in_two_frames[:-9]))

    assert got == read(CAPTURE)[: len(got)] != []
    assert isinstance(error, TruncatedCapture)


@pytest.mark.parametrize("compress", [gzip.compress, zstandard.compress])
def test_a_compressed_file_that_ends_at_once_is_truncated(tmp_path: Path, compress: Callable[[bytes], bytes]) -> None:
    with pytest.raises(TruncatedCapture, match="compressed capture"):
        opened(saved(tmp_path, compress(CAPTURE)[:20]))


def flipped(content: bytes, offset: int) -> bytes:
    return content[:offset] + bytes([content[offset] ^ 0xFF]) + content[len(content) + offset + 1 :]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"\x1f\x8b" + bytes(50), id="gzip header"),
        pytest.param(gzip.compress(CAPTURE)[:60] + bytes(50), id="gzip body"),
        pytest.param(flipped(zstandard.ZstdCompressor(write_checksum=True).compress(CAPTURE), -1), id="zstd checksum"),
    ],
)
def test_damage_to_a_compressed_capture_is_a_capture_error(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(CaptureError, match="compressed capture"):
        opened(saved(tmp_path, content))


@pytest.mark.timeout(10)
def test_a_pipe_gives_each_record_as_it_comes() -> None:
    preamble, *packets = conversation()
    readable, writable = os.pipe()
    with open(readable, "rb") as stream:
        records = read_capture(stream)
        os.write(writable, preamble)
        for number, packet in enumerate(packets, 1):
            os.write(writable, packet)

            assert next(records).frame == number
        os.close(writable)

        assert list(records) == []


def test_following_a_missing_file_is_one_clean_error() -> None:
    program = "from vudissect.capture.files import FollowedFile\nFollowedFile('/nowhere')"

    done = subprocess.run([sys.executable, "-X", "dev", "-c", program], capture_output=True, text=True, timeout=60)

    assert done.stderr.splitlines()[-1].startswith("FileNotFoundError")
    assert "Exception ignored" not in done.stderr


@pytest.mark.parametrize("compress", [bytes, gzip.compress, zstandard.compress])
def test_closing_a_capture_closes_the_file(tmp_path: Path, compress: Callable[[bytes], bytes]) -> None:
    before = len(os.listdir("/proc/self/fd"))
    stream = open_capture(saved(tmp_path, compress(CAPTURE)))
    stream.close()

    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.timeout(10)
def test_a_followed_file_waits_for_the_rest_of_a_block(tmp_path: Path) -> None:
    preamble, opened_event, message, *_ = conversation()
    path = saved(tmp_path, b"")
    with open(path, "ab", buffering=0) as writer, FollowedFile(path) as followed:
        records = read_capture(followed)
        writer.write(preamble + opened_event + message[:50])

        assert next(records).frame == 1

        threading.Timer(0.05, writer.write, [message[50:]]).start()

        assert next(records).frame == 2

        followed.stop()

        assert list(records) == []


@pytest.mark.timeout(10)
def test_following_may_end_within_a_block(tmp_path: Path) -> None:
    with FollowedFile(saved(tmp_path, CAPTURE[:-1])) as followed:
        followed.stop()

        with pytest.raises(TruncatedCapture):
            list(read_capture(followed))
