"""Descriptors of every kind that Linux has without special hardware."""

import ctypes
import errno
import fcntl
import os
import select
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from vudissect.host.descriptor import Descriptor, DescriptorKind
from vudissect.host.inspect import inspect

F_ADD_SEALS = 1033
F_SEAL_SHRINK, F_SEAL_GROW = 2, 4


class Descriptors:
    """Descriptors that are closed when the test ends."""

    def __init__(self) -> None:
        self.open: list[int] = []

    def keep(self, fd: int) -> int:
        self.open.append(fd)
        return fd


@pytest.fixture
def descriptors() -> Iterator[Descriptors]:
    kept = Descriptors()
    yield kept
    for fd in kept.open:
        os.close(fd)


def userfaultfd() -> int:
    """A userfaultfd from its system call; skips the test if the kernel does not provide one."""
    numbers = {"x86_64": 323, "aarch64": 282}
    user_mode_only = 1
    number = numbers.get(os.uname().machine)
    fd = ctypes.CDLL(None).syscall(number, os.O_CLOEXEC | user_mode_only) if number else -1
    if fd < 0:
        pytest.skip("no userfaultfd here")
    return int(fd)


def epoll() -> int:
    with select.epoll() as poller:
        return os.dup(poller.fileno())


def test_a_memfd_has_size_seals_and_page_size(descriptors: Descriptors) -> None:
    fd = descriptors.keep(os.memfd_create("pc.ram", os.MFD_ALLOW_SEALING))
    os.ftruncate(fd, 1 << 20)
    fcntl.fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW)

    found = inspect(fd)

    assert found.kind is DescriptorKind.MEMFD
    assert (found.size, found.seals) == (1 << 20, F_SEAL_SHRINK | F_SEAL_GROW)
    assert found.page_size == os.sysconf("SC_PAGESIZE")
    assert found.flags & os.O_ACCMODE == os.O_RDWR
    assert found.name == "/memfd:pc.ram (deleted)"


def test_a_memfd_of_huge_pages_has_their_size(descriptors: Descriptors) -> None:
    try:
        fd = descriptors.keep(os.memfd_create("huge.ram", os.MFD_HUGETLB | os.MFD_HUGE_2MB))
    except OSError as error:
        pytest.skip(f"no huge pages here: {error}")

    found = inspect(fd)

    assert (found.kind, found.page_size, found.name) == (DescriptorKind.MEMFD, 2 << 20, "/memfd:huge.ram (deleted)")


def test_a_file_in_shared_memory_is_a_file_with_pages(descriptors: Descriptors) -> None:
    path = Path("/dev/shm", f"vudissect-test-{os.getpid()}")
    fd = descriptors.keep(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    path.unlink()
    os.ftruncate(fd, 8192)

    found = inspect(fd)

    assert (found.kind, found.size, found.page_size) == (DescriptorKind.FILE, 8192, os.sysconf("SC_PAGESIZE"))
    assert found.seals >= 0
    assert found.name == f"{path} (deleted)"


def test_a_file_on_disk_has_neither_seals_nor_pages(descriptors: Descriptors) -> None:
    fd = descriptors.keep(os.open("/proc/self/status", os.O_RDONLY))

    found = inspect(fd)

    assert (found.kind, found.page_size, found.seals) == (DescriptorKind.FILE, 0, -1)
    assert found.flags & os.O_ACCMODE == os.O_RDONLY


def test_a_name_that_is_not_unicode_is_escaped(descriptors: Descriptors) -> None:
    fd = descriptors.keep(os.memfd_create(os.fsdecode(b"\xff")))

    assert inspect(fd).name == "/memfd:\\xff (deleted)"


def test_an_eventfd_has_its_own_identity(descriptors: Descriptors) -> None:
    one, other = (descriptors.keep(os.eventfd(0, os.EFD_NONBLOCK)) for _ in range(2))

    found = inspect(one)

    assert found.kind is DescriptorKind.EVENTFD
    assert found.identity.startswith("eventfd:")
    assert found.identity != inspect(other).identity
    assert found.flags & os.O_NONBLOCK
    assert found.name == os.readlink(f"/proc/self/fd/{one}")


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        pytest.param(userfaultfd, DescriptorKind.USERFAULTFD, id="userfaultfd"),
        pytest.param(lambda: os.pidfd_open(os.getpid()), DescriptorKind.PIDFD, id="pidfd"),
        pytest.param(epoll, DescriptorKind.ANON, id="epoll"),
    ],
)
def test_other_anonymous_descriptors_have_a_kind_but_no_identity(
    descriptors: Descriptors, make: Callable[[], int], kind: DescriptorKind
) -> None:
    fd = descriptors.keep(make())

    found = inspect(fd)

    assert (found.kind, found.identity) == (kind, "")
    assert found.name == os.readlink(f"/proc/self/fd/{fd}")


@pytest.mark.parametrize(
    ("socket_type", "text"),
    [(socket.SOCK_STREAM, "stream"), (socket.SOCK_DGRAM, "dgram"), (socket.SOCK_SEQPACKET, "seqpacket")],
)
def test_a_socket_has_its_type(socket_type: socket.SocketKind, text: str) -> None:
    one, other = socket.socketpair(type=socket_type)
    with one, other:
        found = inspect(one.fileno())

        assert found.kind is DescriptorKind.SOCKET
        assert found.name == f"socket:[{os.fstat(one.fileno()).st_ino}] {text}"


def test_a_socket_that_was_inspected_still_works() -> None:
    one, other = socket.socketpair()
    with one, other:
        inspect(one.fileno())
        other.send(b"still open")

        assert one.recv(100) == b"still open"


def test_a_socket_of_another_family_also_has_its_type() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagram:
        assert inspect(datagram.fileno()).name.endswith("] dgram")


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        pytest.param(lambda: os.open("/dev/null", os.O_RDWR), DescriptorKind.DEVICE, id="character device"),
        pytest.param(lambda: os.open("/", os.O_RDONLY), DescriptorKind.DIRECTORY, id="directory"),
        pytest.param(lambda: os.open("/", os.O_PATH), DescriptorKind.DIRECTORY, id="path"),
    ],
)
def test_descriptors_with_a_name_in_the_file_system(
    descriptors: Descriptors, make: Callable[[], int], kind: DescriptorKind
) -> None:
    fd = descriptors.keep(make())

    found = inspect(fd)

    assert (found.kind, found.name) == (kind, os.readlink(f"/proc/self/fd/{fd}"))


def test_both_ends_of_a_pipe_are_one_object(descriptors: Descriptors) -> None:
    one, other = map(descriptors.keep, os.pipe())

    assert inspect(one).kind is DescriptorKind.PIPE
    assert inspect(one).identity == inspect(other).identity != ""


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: os.memfd_create("ram"), id="memfd"),
        pytest.param(lambda: os.eventfd(0), id="eventfd"),
        pytest.param(lambda: os.pipe()[0], id="pipe"),
    ],
)
def test_a_duplicate_is_the_same_object_and_a_second_one_is_not(
    descriptors: Descriptors, make: Callable[[], int]
) -> None:
    one, another = descriptors.keep(make()), descriptors.keep(make())
    duplicate = descriptors.keep(os.dup(one))

    assert inspect(duplicate) == inspect(one)
    assert inspect(another).identity != inspect(one).identity


@pytest.mark.parametrize("fd", [-1, 1 << 30])
def test_a_number_that_is_not_open_is_unknown(fd: int) -> None:
    assert inspect(fd) == Descriptor(DescriptorKind.UNKNOWN)


def test_a_descriptor_that_was_closed_is_unknown() -> None:
    fd = os.eventfd(0)
    os.close(fd)

    assert inspect(fd) == Descriptor(DescriptorKind.UNKNOWN)


def test_inspecting_leaves_no_descriptor_open(descriptors: Descriptors) -> None:
    kinds = [os.eventfd(0), os.memfd_create("ram"), os.dup(0), *os.pipe()]
    for fd in kinds:
        descriptors.keep(fd)
    before = os.listdir("/proc/self/fd")

    for fd in kinds:
        inspect(fd)

    assert os.listdir("/proc/self/fd") == before


def test_without_proc_an_eventfd_is_just_anonymous_and_a_memfd_keeps_its_identity(
    descriptors: Descriptors, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> int:
        raise OSError(errno.ENOENT, "no /proc")

    event, memory = descriptors.keep(os.eventfd(0)), descriptors.keep(os.memfd_create("ram"))
    monkeypatch.setattr(os, "open", refuse)
    monkeypatch.setattr(os, "readlink", refuse)

    assert inspect(event)._replace(flags=0) == Descriptor(DescriptorKind.ANON)
    assert inspect(memory).identity == "{0.st_dev}:{0.st_ino}".format(os.fstat(memory))
