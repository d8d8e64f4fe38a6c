"""Where a capture is written: privately, not through a link, and without loss of an older one."""

import os
import pty
import re
import resource
import socket
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from vudissect.host.output import beginning, write_private

NEW, OLD = b"the new capture", b"the old capture"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "capture"


@pytest.fixture(autouse=True)
def lenient_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def test_a_new_file_is_private(path: Path) -> None:
    write_private(str(path), NEW)

    assert (path.read_bytes(), mode(path)) == (NEW, 0o600)


def test_a_file_in_the_current_folder(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(path.parent)
    write_private(path.name, NEW)

    assert path.read_bytes() == NEW


def test_the_file_that_replaces_another_is_private(path: Path) -> None:
    path.write_bytes(OLD)
    path.chmod(0o666)
    write_private(str(path), NEW)

    assert (path.read_bytes(), mode(path)) == (NEW, 0o600)


def test_another_name_of_the_old_file_keeps_it(path: Path) -> None:
    path.write_bytes(OLD)
    other = path.with_name("other")
    os.link(path, other)
    write_private(str(path), NEW)

    assert other.read_bytes() == OLD


def test_a_file_that_cannot_be_begun_does_not_replace_the_old_one(path: Path) -> None:
    path.write_bytes(OLD)
    with file_size_limit(5), pytest.raises(OSError, match="File too large"):
        write_private(str(path), NEW)

    assert path.read_bytes() == OLD
    assert list(path.parent.iterdir()) == [path]


def test_a_file_that_cannot_be_begun_is_not_created(path: Path) -> None:
    with file_size_limit(5), pytest.raises(OSError, match="File too large"):
        write_private(str(path), NEW)

    assert list(path.parent.iterdir()) == []


def test_the_old_file_is_there_until_the_new_one_has_begun(path: Path) -> None:
    path.write_bytes(OLD)
    with beginning(str(path)) as fd:
        os.write(fd, NEW)
        assert path.read_bytes() == OLD
    assert path.read_bytes() == NEW

    os.write(fd, b", and more of it")
    os.close(fd)
    assert path.read_bytes() == NEW + b", and more of it"


def test_an_existing_file_may_be_protected(path: Path) -> None:
    path.write_bytes(OLD)
    with pytest.raises(FileExistsError), beginning(str(path), replace=False):
        pass

    assert path.read_bytes() == OLD


@pytest.mark.parametrize("target", ["target", "nowhere"])
@pytest.mark.parametrize("replace", [True, False])
def test_nothing_is_written_through_a_link(path: Path, target: str, replace: bool) -> None:
    (path.parent / "target").write_bytes(OLD)
    path.symlink_to(target)
    with (
        pytest.raises(OSError, match=rf"is a symbolic link, which is not followed: '{re.escape(str(path))}'"),
        beginning(str(path), replace=replace),
    ):
        pass

    assert (path.parent / "target").read_bytes() == OLD
    assert not (path.parent / "nowhere").exists()


def test_a_link_that_is_planted_in_the_meantime_is_replaced(path: Path) -> None:
    target = path.with_name("target")
    target.write_bytes(OLD)
    with beginning(str(path)) as fd:
        os.write(fd, NEW)
        os.close(fd)
        path.symlink_to(target)

    assert (target.read_bytes(), path.read_bytes(), path.is_symlink()) == (OLD, NEW, False)


def test_a_file_that_is_protected_is_not_replaced(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.write_bytes(OLD)
    # As for everybody except root, who may write everything.
    monkeypatch.setattr(os, "access", lambda name, how: (name, how) != (str(path), os.W_OK))
    with pytest.raises(PermissionError):
        write_private(str(path), NEW)

    assert path.read_bytes() == OLD


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (Path.mkdir, "Is a directory"),
        (lambda path: socket.socket(socket.AF_UNIX).bind(os.fspath(path)), "No such device or address"),
    ],
)
def test_what_is_not_a_file(path: Path, make: Callable[[Path], None], complaint: str) -> None:
    make(path)
    with pytest.raises(OSError, match=complaint):
        write_private(str(path), NEW)


def test_an_error_names_the_requested_file(tmp_path: Path) -> None:
    path = tmp_path / "nowhere" / "capture"
    with pytest.raises(FileNotFoundError) as caught:
        write_private(str(path), NEW)

    assert caught.value.filename == str(path)


def test_a_named_pipe_is_kept(path: Path) -> None:
    os.mkfifo(path, 0o644)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    write_private(str(path), NEW)

    assert os.read(reader, 100) == NEW
    assert (stat.S_ISFIFO(path.stat().st_mode), mode(path)) == (True, 0o644)


def test_a_device_is_kept() -> None:
    write_private(os.devnull, NEW)

    assert stat.S_ISCHR(os.stat(os.devnull).st_mode)


@pytest.mark.parametrize("name", ["/dev/fd/{}", "/proc/self/fd/{}"])
def test_a_descriptor_that_was_inherited(name: str) -> None:
    reader, writer = os.pipe()
    os.set_inheritable(writer, True)
    write_private(name.format(writer), NEW)

    assert os.read(reader, 100) == NEW


def test_a_descriptor_of_our_own_is_not_written_to() -> None:
    reader, writer = os.pipe()
    with pytest.raises(OSError, match="Bad file descriptor"):
        write_private(f"/dev/fd/{writer}", NEW)
    os.close(writer)

    assert os.read(reader, 100) == b""


def test_a_terminal_is_refused() -> None:
    _, terminal = pty.openpty()
    with pytest.raises(OSError, match="is a terminal"):
        write_private(os.ttyname(terminal), NEW)


def test_text_is_never_mixed_in(path: Path) -> None:
    path.write_bytes(b"")
    text = os.open(path, os.O_WRONLY)
    with pytest.raises(OSError, match="messages are also written there"):
        write_private(str(path), NEW, text_on=(text,))


def test_text_in_the_same_device_is_not_a_mixture() -> None:
    text = os.open(os.devnull, os.O_WRONLY)
    write_private(os.devnull, NEW, text_on=(text,))
    os.close(text)
