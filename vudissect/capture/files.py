"""Opening captures: paths and standard input, compressed or not, and files that are still being written."""

import errno
import gzip
import io
import os
import sys
import time
import zipfile
import zlib
from typing import IO, BinaryIO, Final, Protocol, cast

from vudissect.capture.errors import CaptureError, TruncatedCapture

_GZIP: Final = b"\x1f\x8b"
_ZSTD: Final = b"\x28\xb5\x2f\xfd"
_ZIP: Final = b"PK\x03\x04"
_POLL_SECONDS: Final = 0.02

SUFFIXES: Final = (".pcapng", ".pcapng.gz", ".pcapng.zst")
"""How the names of captures end."""


class ByteSource(Protocol):
    """What a capture can be read from."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes, and none at the end."""


def open_capture(path: str) -> BinaryIO:
    """Open a capture for reading; `-` is standard input. gzip and zstd are recognised by their first bytes, and a zip
    file, such as a bundle: it is read as the captures in it, joined.

    `OSError` if the path cannot be opened, `CaptureError` if the capture cannot be decompressed.
    """
    file = open(0, "rb", closefd=False) if path == "-" else _opened(path)  # noqa: SIM115
    try:
        magic = file.peek(len(_ZSTD))[: len(_ZSTD)]
        if magic.startswith(_GZIP):
            return cast(BinaryIO, _Decompressed(file, gzip.GzipFile(fileobj=file), (zlib.error, gzip.BadGzipFile)))
        if magic == _ZSTD:
            return cast(BinaryIO, _zstd(file))
        if magic == _ZIP:
            return cast(BinaryIO, _Zipped(file))
    except BaseException:
        file.close()
        raise
    return file


def captures_below(folder: str) -> list[str]:
    """The captures in a folder and below it, by their names, sorted. `OSError` if the folder cannot be read."""
    found = []
    for place, _, names in os.walk(folder, onerror=_raise):
        paths = (os.path.join(place, name) for name in names if name.endswith(SUFFIXES))
        found += [path for path in paths if os.path.isfile(path)]
    return sorted(found)


def _raise(error: OSError) -> None:
    raise error


def _opened(path: str) -> io.BufferedReader:
    try:
        return open(path, "rb")
    except ValueError:
        # A character that no path can have, such as NUL.
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), path) from None


def _zstd(file: io.BufferedReader) -> "_Decompressed":
    if sys.version_info >= (3, 14):
        from compression import zstd

        return _Decompressed(file, zstd.ZstdFile(file), (zstd.ZstdError,))
    try:
        import zstandard
    except ImportError:
        raise CaptureError("the capture is compressed with zstd: install the Python package zstandard") from None
    reader = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True)
    return _Decompressed(file, reader, (zstandard.ZstdError,))


class _Decompressor(Protocol):
    def read1(self, size: int, /) -> bytes: ...
    def close(self) -> None: ...


class _Decompressed(io.RawIOBase):
    """A decompressing stream that raises `CaptureError`."""

    def __init__(
        self, compressed: io.BufferedReader, stream: _Decompressor, damage: tuple[type[Exception], ...]
    ) -> None:
        super().__init__()
        self._compressed = compressed
        self._stream = stream
        self._damage = damage
        self._started = False

    def read(self, size: int = -1, /) -> bytes:
        try:
            data = self._stream.read1(size)
        except EOFError:
            raise TruncatedCapture("the compressed capture ends early; all before that was read") from None
        except self._damage as error:
            raise CaptureError(f"the compressed capture is damaged; all before that was read: {error}") from None
        if not data and not self._started:
            # zstandard reports the end of its input as the end of the data, even within a frame.
            raise TruncatedCapture("the compressed capture ends before the first byte can be decompressed")
        self._started = True
        return data

    def close(self) -> None:
        self._stream.close()
        self._compressed.close()
        super().close()


class _Zipped(io.RawIOBase):
    """The captures in a zip file, one after the other; raises `CaptureError`."""

    def __init__(self, file: io.BufferedReader) -> None:
        super().__init__()
        self._file = file
        try:
            self._archive = zipfile.ZipFile(file)
        except (zipfile.BadZipFile, OSError):
            raise CaptureError("the zip file is damaged, or not a file that can be read in any order") from None
        self._names = [name for name in self._archive.namelist() if name.endswith(".pcapng")]
        if not self._names:
            raise CaptureError("a zip file without a capture: those of vuproxy --bundle-on have some")
        self._member: IO[bytes] | None = None

    def read(self, size: int = -1, /) -> bytes:
        try:
            while self._names or self._member is not None:
                if self._member is None:
                    self._member = self._archive.open(self._names.pop(0))
                if data := self._member.read(size):
                    return data
                self._member = None
        except (zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError, NotImplementedError) as error:
            raise CaptureError(f"the zip file is damaged; all before that was read: {error}") from None
        return b""

    def close(self) -> None:
        self._archive.close()
        self._file.close()
        super().close()


class FollowedFile(io.FileIO):
    """A file that is still being written: at its end, `read` waits for more until `stop` is called."""

    _stopped = False

    def __init__(self, path: str) -> None:
        super().__init__(path, "rb")

    def stop(self) -> None:
        """Let the next read at the end of the file return nothing; may be called from a signal handler."""
        self._stopped = True

    def read(self, size: int | None = -1, /) -> bytes:
        """At least one byte, until `stop` is called."""
        while True:
            stopped = self._stopped
            data = super().read(size)
            if data or stopped:
                return data or b""
            time.sleep(_POLL_SECONDS)
