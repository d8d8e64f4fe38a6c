"""Memory that is read without waiting for anybody, and the counters of event descriptors."""

import os
from pathlib import Path

from tests.proxy.hanging_files import file_server
from vudissect.host.shared_memory import event_counter, why_unreadable
from vudissect.rings.fs import Opcode


def test_memory_is_readable() -> None:
    fd = os.memfd_create("memory")

    assert why_unreadable(fd) == ""


def test_a_file_on_disk_is_readable(tmp_path: Path) -> None:
    fd = os.open(tmp_path / "memory", os.O_RDWR | os.O_CREAT)

    assert why_unreadable(fd) == ""


def test_a_descriptor_that_is_only_for_writing(tmp_path: Path) -> None:
    fd = os.open(tmp_path / "memory", os.O_WRONLY | os.O_CREAT)

    assert why_unreadable(fd) == "its descriptor is only for writing"


def test_a_pipe_is_not_a_file() -> None:
    reading, _ = os.pipe()

    assert why_unreadable(reading) == "it is not a file"


def test_a_device_is_not_a_file() -> None:
    fd = os.open("/dev/zero", os.O_RDONLY)

    assert why_unreadable(fd) == "it is not a file"


def test_a_file_server_may_not_answer(tmp_path: Path) -> None:
    with file_server(tmp_path / "served") as server:
        fd = os.open(server.path, os.O_RDONLY)
        server.hanging = {Opcode.GETATTR}

        reason = why_unreadable(fd)

        os.close(fd)
        assert reason == "it is on a file system (fuse) that may not answer"


def test_the_counter_of_an_eventfd() -> None:
    fd = os.eventfd(0)
    os.eventfd_write(fd, 300)

    assert event_counter(fd) == 300


def test_looking_at_it_does_not_read_it() -> None:
    fd = os.eventfd(2)
    event_counter(fd)

    assert os.eventfd_read(fd) == 2


def test_something_else_has_no_counter() -> None:
    assert event_counter(os.memfd_create("memory")) is None


def test_a_closed_descriptor_has_no_counter() -> None:
    fd = os.eventfd(0)
    os.close(fd)

    assert event_counter(fd) is None
