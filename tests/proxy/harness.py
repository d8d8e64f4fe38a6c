"""A relay in this process with everything needed to use it: peers, and the records that it makes."""

import fcntl
import os
import select
import socket
import struct
import termios
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from vudissect.analysis import read
from vudissect.capture.codec import CaptureEncoder
from vudissect.capture.errors import TruncatedCapture
from vudissect.capture.reader import read_capture
from vudissect.capture.record import Record, RecordKind
from vudissect.host.address import Address, Role, parse_address
from vudissect.protocol.model import Channel
from vudissect.protocol.table import UPSTREAM
from vudissect.proxy.faulting import Faults
from vudissect.proxy.poller import READABLE
from vudissect.proxy.recorder import Recorder
from vudissect.proxy.relay import Relay
from vudissect.proxy.shared import Settings
from vudissect.wire.header import ByteOrder

# How long anything may take before a test that waits for it fails.
PATIENCE = 20.0

NUMBERS = {(row.channel, row.name): row.id for row in UPSTREAM.messages}


def message(
    name: str, payload: bytes = b"", flags: int = 1, channel: Channel = Channel.MAIN, order: str = "="
) -> bytes:
    """The bytes of a message."""
    return struct.pack(f"{order}III", NUMBERS[channel, name], flags, len(payload)) + payload


def eventually(condition: Callable[[], bool]) -> None:
    """Wait until the condition holds; fail if it never does."""
    deadline = monotonic() + PATIENCE
    while not condition():
        assert monotonic() < deadline, "it never happened"
        sleep(0.002)


def recorded_so_far(capture: Path) -> list[Record]:
    """The records of a capture that is being written, or will be: of the last one there may be only a part."""
    found: list[Record] = []
    with suppress(TruncatedCapture, FileNotFoundError):
        for record in read(capture):
            found.append(record)
    return found


@contextmanager
def in_background(action: Callable[[], object]) -> Iterator[None]:
    """Call something in another thread during the block; both must end."""
    failures: list[BaseException] = []

    def run() -> None:
        try:
            action()
        except BaseException as failure:
            failures.append(failure)

    thread = threading.Thread(target=run)
    thread.start()
    yield
    thread.join(PATIENCE)
    assert not thread.is_alive(), "it does not end"
    assert not failures, failures


class Peer:
    """One end of a conversation. It waits for expected data, and fails the test if that does not come."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        sock.settimeout(PATIENCE)

    def send(self, data: bytes, *fds: int) -> None:
        """One write, with descriptors."""
        if fds:
            assert socket.send_fds(self.socket, [data], fds) == len(data)
        else:
            self.socket.sendall(data)

    def receive(self, size: int = 65536) -> tuple[bytes, list[int]]:
        """One read, with its descriptors."""
        data, fds, flags, _ = socket.recv_fds(self.socket, size, 253)
        assert not flags & socket.MSG_CTRUNC
        return data, fds

    def receive_message(self) -> tuple[bytes, list[int]]:
        """A message as most programs read it: header and payload with one call each."""
        header, fds = self.receive(12)
        if len(header) < 12:
            return header, fds
        size = struct.unpack("=III", header)[2]
        return header + (self.socket.recv(size) if size else b""), fds

    def receive_all(self, size: int) -> bytes:
        """Exactly `size` bytes."""
        received = bytearray()
        while len(received) < size:
            part = self.socket.recv(min(1 << 20, size - len(received)))
            assert part, f"the stream ended after {len(received)} of {size} bytes"
            received += part
        return bytes(received)

    def receive_to_end(self) -> bytes:
        """Everything up to the end of the stream."""
        received = bytearray()
        while part := self.socket.recv(1 << 20):
            received += part
        return bytes(received)

    def at_end(self) -> bool:
        """Wait for something to read; return whether it is the end of the stream."""
        return not self.socket.recv(1)

    def has_nothing(self) -> bool:
        """Whether there is nothing to read, not even the end."""
        poll = select.poll()
        poll.register(self.socket, select.POLLIN)
        return not poll.poll(0)

    def all_was_read(self) -> bool:
        """Whether the other end has read everything that was sent."""
        return not struct.unpack("i", fcntl.ioctl(self.socket, termios.TIOCOUTQ, bytes(4)))[0]

    def send_and_see_it_read(self, data: bytes, *fds: int) -> None:
        """One write, and wait until the other end has read it."""
        self.send(data, *fds)
        eventually(self.all_was_read)

    def close(self) -> None:
        """Hang up."""
        self.socket.close()


class Memory:
    """A sink that keeps everything."""

    lost = 0
    unwritten = False

    def __init__(self, preamble: bytes) -> None:
        self.capture = bytearray(preamble)

    def write(self, records: list[bytes]) -> None:
        self.capture += b"".join(records)

    def close(self) -> None:
        """Nothing to end."""


class Listener:
    """A back-end or front-end that waits for a connection."""

    def __init__(self, path: Path | str) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(os.fspath(path))
        self._socket.listen(128)
        self._socket.settimeout(PATIENCE)

    def accept(self) -> Peer:
        """The next connection."""
        return Peer(self._socket.accept()[0])

    def close(self) -> None:
        """Stop listening; the file stays, as after a crash."""
        self._socket.close()


def call(path: Path | str) -> Peer:
    """Connect."""
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(os.fspath(path))
    return Peer(sock)


class RunningRelay:
    """A relay in a thread, from `relaying`. `said` are its reports; `records` are complete when it has ended."""

    def __init__(
        self,
        folder: Path,
        settings: Settings,
        said: list[str],
        recorder: Recorder,
        memory: Memory,
        faults: Faults | None = None,
    ) -> None:
        self.front_path, self.back_path = folder / "front.sock", folder / "back.sock"
        self.said = said
        self.recorder = recorder
        self.relay = Relay([settings], recorder, said.append, faults)
        self._memory = memory
        self.failures_expected = 0
        self._failure: BaseException | None = None
        self._hold = os.eventfd(0)
        self._is_held, self._release = threading.Event(), threading.Event()
        self.relay.poller.watch(self._hold, READABLE, self._be_held, lambda _: None)
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Keep it busy during the block, so that it finds everything that happens there at once."""
        os.eventfd_write(self._hold, 1)
        assert self._is_held.wait(PATIENCE)
        yield
        self._is_held.clear()
        self._release.set()

    def processor_time(self) -> float:
        """Seconds of processor time that its thread has used."""
        return time.clock_gettime(time.pthread_getcpuclockid(self._thread.ident or 0))

    @property
    def records(self) -> list[Record]:
        """All its records."""
        return list(read_capture(BytesIO(self._memory.capture)))

    @property
    def messages(self) -> list[Record]:
        """The messages among its records."""
        return self.of_kind(RecordKind.MESSAGE)

    def of_kind(self, kind: RecordKind) -> list[Record]:
        """The records of one kind."""
        return [record for record in self.records if record.kind is kind]

    def wait(self) -> None:
        """Wait until it ends by itself."""
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive(), "the relay does not end"

    def stop(self) -> None:
        """End it, and check that it has not failed."""
        self.relay.stop()
        self.wait()
        self.relay.close()
        self.recorder.close()
        if self._failure:
            raise self._failure
        assert self.relay.failures == self.failures_expected, self.said

    def _be_held(self) -> None:
        os.eventfd_read(self._hold)
        self._is_held.set()
        self._release.wait(PATIENCE)
        self._release.clear()

    def _run(self) -> None:
        try:
            self.relay.run()
        except BaseException as error:
            self._failure = error


@contextmanager
def relaying(
    folder: Path,
    front_end: str = "listen:front.sock",
    back_end: str = "connect:back.sock",
    *,
    snaplen: int = 65536,
    once: bool = False,
    wait: float = PATIENCE,
    interpose: bool = True,
    byte_order: ByteOrder | None = None,
    keep_keys: bool = False,
    faults: Faults | None = None,
) -> Iterator[RunningRelay]:
    """A relay for the block; paths are relative to `folder`."""
    encoder = CaptureEncoder("test", "test", snaplen, 0, keep_keys=keep_keys)
    said: list[str] = []
    recorder = Recorder(encoder, snaplen, said.append)
    memory = Memory(encoder.preamble())
    recorder.add_sink(memory)
    sides = (_address(folder, front_end), _address(folder, back_end))
    settings = Settings(*sides, once, wait, interpose, byte_order)
    relay = RunningRelay(folder, settings, said, recorder, memory, faults)
    try:
        yield relay
    finally:
        relay.stop()


@contextmanager
def conversation(folder: Path, **options: Any) -> Iterator[tuple[RunningRelay, Peer, Peer]]:
    """A relay with a front-end and a back-end connected through it."""
    listener = Listener(folder / "back.sock")
    with relaying(folder, **options) as relay:
        front = call(relay.front_path)
        back = listener.accept()
        yield relay, front, back
        front.close()
        back.close()
    listener.close()


def _address(folder: Path, text: str) -> Address:
    role, _, name = text.partition(":")
    return parse_address(Role(role), name if name.startswith(("@", "fd:")) else os.fspath(folder / name))
