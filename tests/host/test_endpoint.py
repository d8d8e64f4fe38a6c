"""The listening socket's file: private, never in place of a live socket, removed at the end."""

import os
import socket
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from vudissect.host.address import Address, AddressError, Role
from vudissect.host.endpoint import Listener, claim, dial, refuse_same


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.sock"


def listen(path: Path) -> Listener:
    return Listener(Address(Role.LISTEN, os.fspath(path)))


def test_it_is_private_from_the_first_moment(path: Path) -> None:
    before = os.umask(0)
    modes = set()
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            try:
                modes.add(stat.S_IMODE(path.stat().st_mode))
            except FileNotFoundError:
                continue

    onlooker = threading.Thread(target=look)
    onlooker.start()
    try:
        for _ in range(200):
            listen(path).close()
        listener = listen(path)
        modes.add(stat.S_IMODE(path.stat().st_mode))
        listener.close()
    finally:
        done.set()
        onlooker.join()
        os.umask(before)
    assert modes == {0o600}


def test_it_is_removed_at_the_end(path: Path) -> None:
    listen(path).close()
    assert not path.exists()


def test_a_dead_socket_is_replaced(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(os.fspath(path))
    listener = listen(path)
    assert dial(Address(Role.CONNECT, os.fspath(path)))
    listener.close()


def test_a_live_socket_is_neither_replaced_nor_disturbed(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as live:
        live.bind(os.fspath(path))
        live.listen()
        live.setblocking(False)
        with pytest.raises(AddressError, match="in use by a running program"):
            listen(path)
        with pytest.raises(BlockingIOError):
            live.accept()
    assert path.exists()


def test_a_live_datagram_socket_is_not_replaced(path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as live:
        live.bind(os.fspath(path))
        with pytest.raises(AddressError, match="in use by a running program"):
            listen(path)


@pytest.mark.parametrize("make", [Path.touch, Path.mkdir, lambda path: path.symlink_to("nowhere")])
def test_another_kind_of_file_is_not_replaced(path: Path, make: Callable[[Path], None]) -> None:
    make(path)
    with pytest.raises(AddressError, match="exists and is not a socket"):
        listen(path)
    assert os.path.lexists(path)


def test_somebody_elses_socket_is_not_removed(path: Path) -> None:
    listener = listen(path)
    path.unlink()
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(os.fspath(path))
        listener.close()
        assert path.exists()


def test_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(AddressError, match=r"nowhere/a\.sock: cannot listen there: No such file or directory"):
        listen(tmp_path / "nowhere" / "a.sock")


def test_nobody_is_there_yet(path: Path) -> None:
    assert dial(Address(Role.CONNECT, os.fspath(path))) is None
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(os.fspath(path))
        assert dial(Address(Role.CONNECT, os.fspath(path))) is None


def test_with_a_full_backlog_the_next_must_wait(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as busy:
        busy.bind(os.fspath(path))
        busy.listen(0)
        address = Address(Role.CONNECT, os.fspath(path))
        callers = []
        while caller := dial(address):
            callers.append(caller)
        assert callers
        busy.accept()
        assert dial(address)


@pytest.mark.parametrize("role", list(Role))
def test_a_descriptor_that_is_not_open(role: Role) -> None:
    with pytest.raises(AddressError, match="fd:987654: Bad file descriptor"):
        claim(Address(role, fd=987654))


def test_a_descriptor_that_is_not_a_socket() -> None:
    reading, _ = os.pipe()
    with pytest.raises(AddressError, match="expected a Unix stream socket"):
        claim(Address(Role.CONNECT, fd=reading))


def test_a_descriptor_that_is_another_kind_of_socket() -> None:
    with (
        socket.socket(socket.AF_INET) as other,
        pytest.raises(AddressError, match="not a Unix stream socket"),
    ):
        claim(Address(Role.CONNECT, fd=other.fileno()))


def test_a_descriptor_that_does_not_listen() -> None:
    one, _ = socket.socketpair()
    with pytest.raises(AddressError, match="does not listen"):
        Listener(Address(Role.LISTEN, fd=one.detach()))


def test_child_processes_do_not_inherit_a_descriptor(path: Path) -> None:
    one, _ = socket.socketpair()
    one.set_inheritable(True)
    claim(Address(Role.CONNECT, fd=one.fileno()))
    assert not one.get_inheritable()


def call_to(name: Path | str) -> Address:
    return Address(Role.CONNECT, os.fspath(name))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a folder `sub` and a link `here` to itself."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    (tmp_path / "here").symlink_to(tmp_path)
    (tmp_path / "link").symlink_to("a.sock")
    return tmp_path


SPELLINGS = ["a.sock", "./a.sock", "sub/../a.sock", "here/a.sock", "link", "{folder}/a.sock", "{folder}//a.sock"]


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_both_sides_are_the_same_path(folder: Path, role: Role, spelling: str) -> None:
    other = Address(role, spelling.format(folder=folder))
    with pytest.raises(AddressError, match=r"a\.sock and .* are the same socket: each side needs a socket of its own"):
        refuse_same(Address(Role.LISTEN, "a.sock"), other)


def test_both_sides_are_the_same_abstract_socket() -> None:
    with pytest.raises(AddressError, match="@name and @name are the same socket"):
        refuse_same(Address(Role.LISTEN, "\0name"), call_to("\0name"))


def test_both_sides_are_the_same_descriptor() -> None:
    one, _ = socket.socketpair()
    duplicate = one.dup()
    with pytest.raises(AddressError, match="are the same socket"):
        refuse_same(Address(Role.CONNECT, fd=one.fileno()), Address(Role.CONNECT, fd=duplicate.fileno()))


def test_sides_that_differ(folder: Path) -> None:
    one, other = socket.socketpair()
    refuse_same(Address(Role.LISTEN, "a.sock"), call_to("b.sock"))
    refuse_same(Address(Role.LISTEN, "\0a.sock"), call_to("a.sock"))
    refuse_same(Address(Role.CONNECT, fd=one.fileno()), Address(Role.CONNECT, fd=other.fileno()))


def test_a_listener_recognises_its_own_address_by_any_name(folder: Path) -> None:
    listener = listen(Path("a.sock"))
    os.link("a.sock", "hard")
    for name in (*SPELLINGS, "hard"):
        with pytest.raises(AddressError, match="are the same socket"):
            listener.refuse_call(call_to(name.format(folder=folder)))
    listener.close()


def test_a_path_that_has_another_owner_now_is_not_the_listeners(path: Path) -> None:
    listener = listen(path)
    path.unlink()
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(os.fspath(path))
        listener.refuse_call(call_to(path))
    listener.close()


def test_an_inherited_listener_recognises_its_own_address(path: Path) -> None:
    given = socket.socket(socket.AF_UNIX)
    given.bind(os.fspath(path))
    given.listen()
    listener = Listener(Address(Role.LISTEN, fd=given.detach()))
    with pytest.raises(AddressError, match="are the same socket"):
        listener.refuse_call(call_to(path))
    listener.close()
    assert path.exists()


def test_an_inherited_abstract_listener_recognises_its_own_address() -> None:
    name = f"\0vudissect-test-{os.getpid()}"
    given = socket.socket(socket.AF_UNIX)
    given.bind(name)
    given.listen()
    listener = Listener(Address(Role.LISTEN, fd=given.detach()))
    listener.refuse_call(call_to(f"{name}-other"))
    with pytest.raises(AddressError, match="are the same socket"):
        listener.refuse_call(call_to(name))
    listener.close()
