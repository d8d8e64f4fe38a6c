"""Who may connect to a socket: what can be given, and to what."""

import grp
import os
import pwd
import socket
import stat
from pathlib import Path

import pytest

from vudissect.host.access import PRIVATE, Access, AccessError, parse_access
from vudissect.host.address import AddressError, Role, parse_address
from vudissect.host.endpoint import Listener, Presence, look_for

NOBODY = pwd.getpwnam("nobody").pw_uid
MAIL = grp.getgrnam("mail").gr_gid


@pytest.mark.parametrize(
    ("words", "access"),
    [
        ((None, None, None), PRIVATE),
        (("660", None, None), Access(0o660)),
        (("0666", None, None), Access(0o666)),
        ((None, "nobody", "mail"), Access(0o600, NOBODY, MAIL)),
        (("660", "1000", "2000"), Access(0o660, 1000, 2000)),
    ],
)
def test_what_is_understood(words: tuple[str | None, str | None, str | None], access: Access) -> None:
    assert parse_access(*words) == access


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("999", None, None), "'999' is not a mode: write three octal digits, as in 660"),
        (("4755", None, None), "'4755' is not a mode"),
        (("u+w", None, None), "'u+w' is not a mode"),
        (("", None, None), "'' is not a mode"),
        ((None, "no-such-user", None), "'no-such-user': there is no such user here"),
        ((None, None, "no\0group"), "there is no such group here"),
        ((None, "4294967295", None), "there is no such user here"),
        ((None, "-1", None), "there is no such user here"),
    ],
)
def test_what_is_refused(words: tuple[str | None, str | None, str | None], says: str) -> None:
    with pytest.raises(AccessError) as error:
        parse_access(*words)

    assert says in str(error.value)


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o777])
def test_a_listener_has_it_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        listener = Listener(parse_address(Role.LISTEN, str(tmp_path / "a.sock")), Access(0o660))
    finally:
        os.umask(before)

    assert stat.S_IMODE((tmp_path / "a.sock").stat().st_mode) == 0o660
    listener.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_root_gives_it_to_a_user_and_a_group(tmp_path: Path) -> None:
    listener = Listener(parse_address(Role.LISTEN, str(tmp_path / "a.sock")), Access(0o620, NOBODY, MAIL))

    status = (tmp_path / "a.sock").stat()
    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (NOBODY, MAIL, 0o620)
    listener.close()
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_given_leaves_no_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "chown", refuse)

    with pytest.raises(AddressError) as error:
        Listener(parse_address(Role.LISTEN, str(tmp_path / "a.sock")), Access(0o660, group=MAIL))

    assert "a.sock: Operation not permitted: only root can give it" in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_a_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.touch(0o600)
    (tmp_path / "a.sock").symlink_to(victim)

    with pytest.raises(OSError, match="not the new socket"):
        Access(0o666).give(str(tmp_path / "a.sock"))

    assert stat.S_IMODE(victim.stat().st_mode) == 0o600


class TestPresence:
    def test_a_listener_is_there_and_sees_nobody(self, tmp_path: Path) -> None:
        path = str(tmp_path / "a.sock")
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(path)
            listening.listen()
            listening.setblocking(False)

            assert look_for(parse_address(Role.CONNECT, path)) is Presence.THERE
            with pytest.raises(BlockingIOError):
                listening.accept()
        assert look_for(parse_address(Role.CONNECT, path)) is Presence.ABSENT

    def test_nobody_is_at_a_path_that_does_not_exist(self, tmp_path: Path) -> None:
        assert look_for(parse_address(Role.CONNECT, str(tmp_path / "a.sock"))) is Presence.ABSENT

    def test_of_a_descriptor_that_is_known(self) -> None:
        assert look_for(parse_address(Role.CONNECT, "fd:3")) is Presence.THERE

    def test_a_file_is_not_a_peer(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()

        assert look_for(parse_address(Role.CONNECT, str(tmp_path / "file"))) is Presence.ABSENT
