"""The recipes of docs/scapy.md run as they are."""

import re
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest
from click.testing import CliRunner

import vudissect.scapy as vu
from vudissect.cli.lint import command as lint
from vudissect.protocol.devices import DEVICES
from vudissect.protocol.dialects import dialect_by_name

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "scapy.md").read_text("utf-8")
RECIPES = dict(re.findall(r"^## ([^\n]*)\n(?:(?!^## ).)*?^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
PATIENCE = 20.0
NOT_LAYERS = {"PcapWriter", "ConnectionRefusedError", "TimeoutError"}


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@contextmanager
def hostile_back_end() -> Iterator[None]:
    """The recipe's back-end, until its front-end has closed the connection."""
    back_end = Thread(target=exec, args=(RECIPES["Craft a hostile back-end"], {}), daemon=True)
    back_end.start()
    yield
    back_end.join(PATIENCE)
    assert not back_end.is_alive()


def once_it_listens(connect: Callable[[], None]) -> None:
    """Call something that connects to the back-end, until the connection succeeds."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return connect()
        except (FileNotFoundError, ConnectionRefusedError):
            assert time.monotonic() < deadline
            time.sleep(0.001)


def test_a_capture_is_edited() -> None:
    shutil.copy(ROOT / "captures" / "qemu-7.2-blk-qsd.pcapng", "boot.pcapng")

    exec(RECIPES["Edit a capture"], {})

    found = CliRunner().invoke(lint, ["edited.pcapng"])
    assert "has 1000 entries; the size of a split ring must be a power of two" in found.output


def test_a_hostile_back_end_claims_more_than_it_sends() -> None:
    with hostile_back_end(), socket.socket(socket.AF_UNIX) as sock:
        once_it_listens(lambda: sock.connect("back.sock"))
        front_end = vu.StreamSocket(sock, vu.VhostUser)
        features = front_end.sr1(vu.VhostUser() / vu.GetFeatures(), timeout=PATIENCE, verbose=False)
        refused = front_end.sr1(vu.VhostUser(flags="need_reply") / vu.SetOwner(), timeout=PATIENCE, verbose=False)
        front_end.send(vu.VhostUser() / vu.GetQueueNum())
        claim = sock.recv(100)

    assert features is not None
    assert refused is not None
    assert str(features.features) == "PROTOCOL_FEATURES+VERSION_1"
    assert refused[vu.Ack].result == 1
    assert claim == bytes.fromhex("11000000 05000000 ffffffff 0200000000000000")


def patient_back_end(listener: socket.socket) -> None:
    """Answer every request for features, of one connection after the other, until the listener is closed."""
    while True:
        try:
            front_end = vu.StreamSocket(listener.accept()[0], vu.VhostUser)
        except OSError:
            return
        try:
            while (request := front_end.recv()) is None or vu.GetFeatures not in request:
                pass
            front_end.send(vu.VhostUser() / vu.GetFeaturesReply())
        except (EOFError, ConnectionError):
            pass
        front_end.close()


def test_a_back_end_survives_fuzzing(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("back.sock")
        listener.listen()
        Thread(target=patient_back_end, args=(listener,), daemon=True).start()
        exec(RECIPES["Fuzz a back-end"], {})
        listener.shutdown(socket.SHUT_RDWR)

    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "SetVringNum 20 answered, 0 refused"
    assert len(lines) == 6


def test_a_back_end_that_has_crashed_ends_the_fuzzing() -> None:
    with socket.socket(socket.AF_UNIX) as gone:
        gone.bind("back.sock")

    with pytest.raises(ConnectionRefusedError):
        exec(RECIPES["Fuzz a back-end"], {})


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`([A-Z][A-Za-z]+)`", PAGE)) - NOT_LAYERS))
def test_what_it_names_exists(name: str) -> None:
    assert name in vu.__all__


def test_what_it_states_about_dialects_and_devices_is_true() -> None:
    for key in re.findall(r'layers_of\("(.*?)"\)', PAGE):
        assert dialect_by_name(key)
    assert {f"Config{device.name.capitalize()}" for device in DEVICES if device.config.fields} <= set(vu.__all__)
