"""What is reported to systemd."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from vudissect.host.service import Service, is_journal


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """The socket of a service manager."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        yield listening


def test_it_is_ready_and_stops(manager: socket.socket) -> None:
    service = Service()
    service.ready("listening")
    service.stopping()
    assert manager.recv(1000) == b"READY=1\nSTATUS=listening\n"
    assert manager.recv(1000) == b"STOPPING=1\n"


def test_children_do_not_report(manager: socket.socket) -> None:
    Service()
    assert "NOTIFY_SOCKET" not in os.environ


def test_without_a_manager_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    Service().ready("listening")


def test_a_manager_that_is_gone_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", "@vudissect-nobody-is-there")
    Service().ready("listening")


def test_only_the_stream_of_the_journal_is_the_journal(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    status = os.fstat(writer)
    monkeypatch.setenv("JOURNAL_STREAM", f"{status.st_dev}:{status.st_ino}")
    assert is_journal(writer)
    monkeypatch.setenv("JOURNAL_STREAM", f"{status.st_dev}:{status.st_ino + 1}")
    assert not is_journal(writer)
    os.close(reader)
    os.close(writer)
    assert not is_journal(writer)
