"""A file on a file system whose server stops answering, or answers with errors: a FUSE server of a few lines."""

import ctypes
import errno
import os
import stat
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from vudissect.rings.fs import Opcode

_UNANSWERED_BY_DESIGN = {Opcode.FORGET, Opcode.BATCH_FORGET, Opcode.INTERRUPT}
_IN_HEADER = struct.Struct("=IIQQ16x")
_OUT_HEADER = struct.Struct("=IiQ")
_ROOT, _FILE = 1, 2
# A forced unmount ends the connection, so that a descriptor that a test left open cannot hang its process at exit.
_FORCE, _DETACH = 1, 2

SIZE = 12345


class FileServer:
    """Serves one file, `path`; requests named in `hanging` wait until `release`."""

    def __init__(self, folder: Path, flush_error: int) -> None:
        self.path = folder / "file"
        self.hanging: set[int] = set()
        self.asked: set[int] = set()
        self._flush_error = flush_error
        self._held: list[bytes] = []
        self._device = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
        self._folder = os.fsencode(folder)
        self._libc = ctypes.CDLL(None, use_errno=True)
        options = f"fd={self._device},rootmode=40000,user_id=0,group_id=0".encode()
        if self._libc.mount(b"test", self._folder, b"fuse", 0, options):
            raise OSError(ctypes.get_errno(), "mount")
        threading.Thread(target=self._serve, daemon=True).start()

    def release(self) -> None:
        """Answer all held requests, and hold none any more."""
        self.hanging = set()
        for request in self._held:
            self._answer(request)
        self._held.clear()

    def close(self) -> None:
        """Unmount; pending requests get an error."""
        self.release()
        self._libc.umount2(self._folder, _FORCE | _DETACH)

    def _serve(self) -> None:
        while True:
            try:
                request = os.read(self._device, 1 << 17)
            except OSError as error:
                if error.errno == errno.ENODEV:
                    os.close(self._device)
                    return
                continue
            operation = _IN_HEADER.unpack_from(request)[1]
            self.asked.add(operation)
            if operation in self.hanging:
                self._held.append(request)
            elif operation not in _UNANSWERED_BY_DESIGN:
                self._answer(request)

    def _answer(self, request: bytes) -> None:
        _, operation, unique, node = _IN_HEADER.unpack_from(request)
        error, body = 0, b""
        if operation == Opcode.INIT:
            body = struct.pack("=IIIIHHIIHHI7I", 7, 31, 0, 0, 8, 8, 4096, 1, 0, 0, 0, *[0] * 7)
        elif operation == Opcode.LOOKUP:
            body = struct.pack("=QQQQII", _FILE, 0, 0, 0, 0, 0) + _attributes(_FILE)
        elif operation == Opcode.GETATTR:
            body = struct.pack("=QII", 0, 0, 0) + _attributes(node)
        elif operation == Opcode.OPEN:
            body = struct.pack("=QII", 1, 0, 0)
        elif operation == Opcode.FLUSH:
            error = self._flush_error
        elif operation != Opcode.RELEASE:
            error = errno.ENOSYS
        # It may already be unmounted, or nobody waits any more.
        with suppress(OSError):
            os.write(self._device, _OUT_HEADER.pack(16 + len(body), -error, unique) + (b"" if error else body))


def _attributes(node: int) -> bytes:
    mode = stat.S_IFDIR | 0o755 if node == _ROOT else stat.S_IFREG | 0o644
    size = 0 if node == _ROOT else SIZE
    return struct.pack("=6Q10I", node, size, 0, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 512, 0)


@contextmanager
def file_server(folder: Path, flush_error: int = 0) -> Iterator[FileServer]:
    """A server for the block; needs root."""
    folder.mkdir()
    server = FileServer(folder, flush_error)
    try:
        yield server
    finally:
        server.close()
