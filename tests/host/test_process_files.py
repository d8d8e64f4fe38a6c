"""The descriptors of another process: a child that holds memory and an event."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from vudissect.host.descriptor import NOT_EXAMINED, Descriptor, DescriptorKind
from vudissect.host.inspect import inspect
from vudissect.host.process_files import ProcessFiles, open_files, peer_at
from vudissect.host.shared_memory import event_counter


@pytest.fixture
def passed() -> tuple[int, int]:
    memory, event = os.memfd_create("memory"), os.eventfd(3)
    os.write(memory, b"guest")
    return memory, event


@pytest.fixture
def files(passed: tuple[int, int]) -> Iterator[ProcessFiles]:
    """Those of a process that has been passed the two."""
    command = [sys.executable, "-c", "import sys; print('ready', flush=True); sys.stdin.read()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=passed) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        found = ProcessFiles()
        found.add(holder.pid)
        yield found
        found.empty()
        holder.communicate()


def test_memory_can_be_read(passed: tuple[int, int], files: ProcessFiles) -> None:
    fd = files.take(inspect(passed[0]))

    assert fd is not None
    assert os.pread(fd, 5, 0) == b"guest"


def test_a_counter_can_be_seen(passed: tuple[int, int], files: ProcessFiles) -> None:
    fd = files.take(inspect(passed[1]))

    assert fd is not None
    assert event_counter(fd) == 3


def test_it_can_be_taken_again(passed: tuple[int, int], files: ProcessFiles) -> None:
    memory = inspect(passed[0])
    first, second = files.take(memory), files.take(memory)

    assert first is not None
    assert second is not None
    assert first != second


def test_what_the_process_does_not_have(files: ProcessFiles) -> None:
    assert files.take(inspect(os.memfd_create("other"))) is None


def logged(memory: int) -> Descriptor:
    """As a log of system calls shows it."""
    return Descriptor(DescriptorKind.MEMFD, "file:1", flags=NOT_EXAMINED, name=inspect(memory).name)


def test_memory_in_a_log_is_the_one_with_its_name(passed: tuple[int, int], files: ProcessFiles) -> None:
    fd = files.take(logged(passed[0]))

    assert fd is not None
    assert os.pread(fd, 5, 0) == b"guest"


def test_of_two_with_the_same_name_none_is_guessed(passed: tuple[int, int]) -> None:
    twin = os.memfd_create("memory")
    found = ProcessFiles()
    found.add(os.getpid())

    assert found.take(logged(passed[0])) is None
    assert found.take(inspect(passed[0])) is not None
    found.empty()
    os.close(twin)


def test_a_process_that_is_gone() -> None:
    with subprocess.Popen(["true"]) as gone:
        gone.wait()

        with pytest.raises(ProcessLookupError):
            ProcessFiles().add(gone.pid)


def test_all_that_a_process_has_open() -> None:
    event = os.eventfd(0)
    try:
        found = open_files(os.getpid())
    finally:
        os.close(event)

    assert found[event].kind is DescriptorKind.EVENTFD


def test_who_is_at_the_other_end_of_a_socket() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        peer = peer_at(os.getpid(), ours.fileno())

    assert peer is not None
    assert peer.pid == os.getpid()


def test_what_is_no_socket_has_nobody_at_the_other_end() -> None:
    event = os.eventfd(0)
    try:
        assert peer_at(os.getpid(), event) is None
        assert peer_at(1 << 22, event) is None
    finally:
        os.close(event)
