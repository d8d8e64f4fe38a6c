"""Created descriptors are of the described kind, if this machine has it."""

import os
from collections.abc import Iterator
from mmap import mmap

import pytest

from vudissect.host.descriptor import Descriptor, DescriptorKind
from vudissect.host.inspect import inspect
from vudissect.host.make import Made, make

_SEAL, _SHRINK, _GROW = 1, 2, 4
_MIB = 1 << 20


def described(
    kind: DescriptorKind, size: int = 0, seals: int = -1, flags: int = os.O_RDWR, name: str = ""
) -> Descriptor:
    page_size = os.sysconf("SC_PAGESIZE") if seals >= 0 else 0
    return Descriptor(kind, "", size, page_size, seals, flags, name)


@pytest.fixture
def made() -> Iterator[list[Made]]:
    """Descriptors that a test has created, closed when it is over."""
    things: list[Made] = []
    yield things
    for thing in things:
        thing.close()


@pytest.mark.parametrize(
    "wanted",
    [
        described(DescriptorKind.MEMFD, _MIB, seals=0, name="/memfd:pc.ram (deleted)"),
        described(DescriptorKind.MEMFD, _MIB, seals=_SEAL, name="/memfd:nohuge (deleted)"),
        described(DescriptorKind.MEMFD, _MIB, seals=_SEAL | _SHRINK | _GROW, name="/memfd:ram (deleted)"),
        described(DescriptorKind.MEMFD, _MIB, seals=0, flags=os.O_RDWR | os.O_NONBLOCK, name="/memfd:ram (deleted)"),
        described(DescriptorKind.FILE, _MIB, seals=_SEAL),
        described(DescriptorKind.FILE, _MIB),
        described(DescriptorKind.EVENTFD),
        described(DescriptorKind.EVENTFD, flags=os.O_RDWR | os.O_NONBLOCK),
        described(DescriptorKind.PIPE, flags=os.O_RDONLY),
        described(DescriptorKind.PIPE, flags=os.O_WRONLY | os.O_NONBLOCK),
        described(DescriptorKind.SOCKET, name="socket:[1] stream"),
        described(DescriptorKind.SOCKET, name="socket:[1] seqpacket"),
        described(DescriptorKind.PIDFD),
        described(DescriptorKind.DIRECTORY, flags=os.O_RDONLY),
    ],
    ids=lambda wanted: f"{wanted.kind.label} {wanted.name} seals {wanted.seals} flags {wanted.flags:#o}",
)
def test_it_is_as_described(wanted: Descriptor, made: list[Made]) -> None:
    made.append(make(wanted))

    got = inspect(made[0].fd)

    access = os.O_ACCMODE | os.O_NONBLOCK
    assert (got.kind, got.size, got.seals, got.flags & access) == (
        wanted.kind,
        wanted.size,
        wanted.seals,
        wanted.flags & access,
    )
    assert made[0].remark == ""
    if wanted.name.startswith("/memfd:"):
        assert got.name == wanted.name
    if wanted.kind is DescriptorKind.SOCKET:
        assert got.name.split()[-1] == wanted.name.split()[-1]


def test_memory_of_64_gib_takes_no_space(made: list[Made]) -> None:
    made.append(make(described(DescriptorKind.MEMFD, 64 << 30, seals=0)))

    assert os.fstat(made[0].fd).st_size == 64 << 30
    assert os.fstat(made[0].fd).st_blocks == 0


def test_memory_can_be_mapped_and_is_zero(made: list[Made]) -> None:
    made.append(make(described(DescriptorKind.MEMFD, _MIB, seals=0)))

    with mmap(made[0].fd, _MIB) as memory:
        assert memory[:] == bytes(_MIB)


@pytest.mark.parametrize("size", [1 << 63, (1 << 64) - 1])
def test_an_impossible_size_of_memory_is_an_error(size: int) -> None:
    with pytest.raises(OSError, match="File too large"):
        make(described(DescriptorKind.MEMFD, size, seals=0))


@pytest.mark.parametrize("size", [1 << 62, (1 << 63) - 1])
def test_the_largest_possible_memory_takes_no_space(size: int, made: list[Made]) -> None:
    made.append(make(described(DescriptorKind.MEMFD, size, seals=0)))

    assert os.fstat(made[0].fd).st_size == size
    assert os.fstat(made[0].fd).st_blocks == 0


@pytest.mark.parametrize(
    ("recorded", "made_as"),
    [
        ("/memfd:pc\0.ram (deleted)", "/memfd:pc.ram (deleted)"),
        ("/memfd:\0 (deleted)", "/memfd:memory (deleted)"),
        (f"/memfd:{'x' * 5000} (deleted)", f"/memfd:{'x' * 249} (deleted)"),
        (f"/memfd:{'é' * 200} (deleted)", f"/memfd:{'é' * 124} (deleted)"),
        ("/memfd:\udcff (deleted)", "/memfd:\\udcff (deleted)"),
    ],
    ids=["NUL", "only NUL", "long", "long in bytes", "no text"],
)
def test_a_name_that_no_memfd_can_have_is_adapted(recorded: str, made_as: str, made: list[Made]) -> None:
    made.append(make(described(DescriptorKind.MEMFD, _MIB, seals=0, name=recorded)))

    assert inspect(made[0].fd).name == made_as


def test_unknown_seals_are_left_out(made: list[Made]) -> None:
    made.append(make(described(DescriptorKind.MEMFD, _MIB, seals=0x7FFF_FF00 | _SHRINK)))

    assert inspect(made[0].fd).seals == _SHRINK


@pytest.mark.parametrize("page_size", [12345, 1 << 40, 1 << 63], ids=hex)
@pytest.mark.parametrize("size", [0, _MIB])
def test_pages_that_this_machine_does_not_have_are_replaced_by_ordinary_ones(
    page_size: int, size: int, made: list[Made]
) -> None:
    made.append(make(described(DescriptorKind.MEMFD, size, seals=0)._replace(page_size=page_size)))

    assert "has ordinary pages" in made[0].remark


def test_huge_pages_that_are_not_free_are_replaced_with_a_remark(made: list[Made]) -> None:
    wanted = described(DescriptorKind.MEMFD, 1 << 50, seals=0)._replace(page_size=2 << 20)
    made.append(make(wanted))

    assert "has ordinary pages" in made[0].remark
    assert inspect(made[0].fd).size == 1 << 50


def test_the_local_end_of_a_pipe_gets_what_is_written_to_it(made: list[Made]) -> None:
    made.append(make(described(DescriptorKind.PIPE, flags=os.O_WRONLY)))
    kept = made[0].other
    assert kept is not None

    os.write(made[0].fd, b"state")

    assert os.read(kept, 10) == b"state"


def test_a_userfaultfd_is_real_or_replaced_with_a_remark(made: list[Made]) -> None:
    made.append(make(described(DescriptorKind.USERFAULTFD)))

    expected = DescriptorKind.EVENTFD if made[0].remark else DescriptorKind.USERFAULTFD
    assert inspect(made[0].fd).kind is expected


@pytest.mark.parametrize(
    ("kind", "size", "stand_in"),
    [
        (DescriptorKind.DMABUF, 8192, DescriptorKind.MEMFD),
        (DescriptorKind.DEVICE, 0, DescriptorKind.EVENTFD),
        (DescriptorKind.UNKNOWN, 0, DescriptorKind.EVENTFD),
    ],
)
def test_what_cannot_be_made_is_replaced_with_a_remark(
    kind: DescriptorKind, size: int, stand_in: DescriptorKind, made: list[Made]
) -> None:
    made.append(make(described(kind, size)))

    assert inspect(made[0].fd).kind is stand_in
    assert f"a {kind.label} is replaced" in made[0].remark
