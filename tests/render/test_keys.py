"""No view shows a key, even of a capture that has it."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

import vudissect.scapy as vu
from tests.capture.examples import encoder, read
from tests.keys import FORMS_WITH_KEYS, all_kinds, leaked, leaked_as_text, some_message
from vudissect.capture.record import Mark, Record, RecordKind
from vudissect.cli.main import main
from vudissect.protocol.model import Channel, Side

ERROR_OF_A_BACK_END = "Received bad msg size."


def save(path: Path, records: list[Record], *, keep_keys: bool) -> Path:
    code = encoder(keep_keys=keep_keys)
    path.write_bytes(code.preamble() + b"".join(map(code.record, records)))
    return path


@pytest.fixture(params=["upstream", "crypto-rfc", "mst-2015"])
def dialect(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def capture(tmp_path: Path) -> tuple[Path, tuple[bytes, ...]]:
    """A capture with keys, and the keys."""
    records, keys = all_kinds()
    path = save(tmp_path / "keys.pcapng", records, keep_keys=True)
    assert leaked(keys[:1], path.read_bytes())
    return path, keys


def printed(*arguments: str) -> str:
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code in (0, 1), done.output
    assert done.output
    return done.output


@pytest.mark.parametrize("view", [("show",), ("show", "-v"), ("show", "--json"), ("lint",), ("lint", "--json")])
def test_views_of_the_messages_show_no_key(
    view: tuple[str, ...], dialect: str, capture: tuple[Path, tuple[bytes, ...]]
) -> None:
    path, keys = capture

    assert leaked_as_text(keys, printed(*view, "--dialect", dialect, str(path))) == set()


def test_the_state_shows_no_key(capture: tuple[Path, tuple[bytes, ...]]) -> None:
    path, keys = capture

    assert leaked_as_text(keys, printed("state", str(path))) == set()


def test_an_explanation_shows_no_key(capture: tuple[Path, tuple[bytes, ...]]) -> None:
    path, keys = capture

    assert leaked_as_text(keys, printed("explain", ERROR_OF_A_BACK_END, "--capture", str(path))) == set()


def test_scapy_shows_no_key(capture: tuple[Path, tuple[bytes, ...]]) -> None:
    path, keys = capture

    for packet in vu.rdpcap(str(path)):
        shown = str(packet.show(dump=True))
        assert leaked_as_text(keys, shown) == set()
        assert leaked(keys, shown.encode()) == set()
        assert leaked_as_text(keys, packet.summary()) == set()


@pytest.mark.parametrize(("keep_keys", "word"), [(True, "shown"), (False, "stored")])
class TestWhatIsSaidInstead:
    """The length of a key, and whether the capture has it."""

    @pytest.fixture
    def session(self, keep_keys: bool, tmp_path: Path) -> Path:
        said = some_message(FORMS_WITH_KEYS[0], "<", 1)
        record = Record(
            RecordKind.MESSAGE, 1, Channel.MAIN, Side.FRONT_END, 1, 1, 2, 3, len(said.data), said.data, Mark(0)
        )
        return save(tmp_path / "session.pcapng", [record], keep_keys=keep_keys)

    def test_by_show(self, session: Path, word: str) -> None:
        assert f"    key = (1024 bytes of key material, not {word})" in printed("show", "-v", str(session))

    def test_in_json(self, session: Path, word: str) -> None:
        line = json.loads(printed("show", "--json", str(session)))

        assert line["payload"]["key"] == f"(1024 bytes of key material, not {word})"
        assert line["marks"] == ([] if word == "shown" else ["keys_masked"])

    def test_by_scapy(self, session: Path, word: str) -> None:
        (packet,) = vu.rdpcap(str(session))

        assert f"(1024 bytes of key material, not {word})" in str(packet.show(dump=True))


def test_scapy_writes_no_key(capture: tuple[Path, tuple[bytes, ...]], tmp_path: Path) -> None:
    path, keys = capture
    copy = tmp_path / "copy.pcapng"
    masked = save(tmp_path / "masked.pcapng", all_kinds()[0], keep_keys=False)

    vu.wrpcap(str(copy), vu.rdpcap(str(path)))

    assert leaked(keys, copy.read_bytes()) == set()
    assert read(copy.read_bytes()) == read(masked.read_bytes())


def test_scapy_writes_keys_if_requested(capture: tuple[Path, tuple[bytes, ...]], tmp_path: Path) -> None:
    path, _ = capture
    copy = tmp_path / "copy.pcapng"

    vu.wrpcap(str(copy), vu.rdpcap(str(path)), keep_keys=True)

    assert read(copy.read_bytes()) == read(path.read_bytes())


def test_compose_writes_no_key(tmp_path: Path) -> None:
    talk = tmp_path / "talk.vu"
    talk.write_text(f"F>B CREATE_CRYPTO_SESSION (crypto session (second)) key={'a1b2c3d4' * 16}\n")

    done = CliRunner().invoke(main, ["compose", str(talk)])

    (record,) = read(done.stdout_bytes)
    assert record.marks == Mark.KEYS_MASKED
    assert leaked((bytes.fromhex("a1b2c3d4"),), record.data) == set()
