"""Several devices of one VM: every view names each by its id."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.conversation import MILLISECOND, Conversation
from vudissect.capture.observation import Observation
from vudissect.capture.record import RecordKind
from vudissect.cli.main import main
from vudissect.protocol.model import Channel

IDS = ("disk0", "disk1", "net0")


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    """Each device makes the same mistake, and its ring was looked into."""
    talk = Conversation()
    for number, name in enumerate(IDS, 1):
        talk.open(connection=number, device_id=name)
    for number, _ in enumerate(IDS, 1):
        talk.front_end("GET_FEATURES", connection=number)
        talk.back_end("GET_FEATURES", connection=number, features=0)
        talk.front_end("SET_VRING_ENABLE", connection=number, index=0, num=7)
        seen = Observation(0, avail=5, used=3, pending=2)
        talk.event(RecordKind.RING_OBSERVED, Channel.MAIN, number, MILLISECOND, **seen.details)
    path = tmp_path / "vm.pcapng"
    path.write_bytes(talk.capture())
    return path


@pytest.mark.parametrize(
    "command",
    [
        ["show"],
        ["show", "--json"],
        ["lint"],
        ["lint", "--json"],
        ["summary"],
        ["summary", "--json"],
        ["state"],
        ["state", "--json"],
        ["times"],
        ["rings"],
    ],
    ids=" ".join,
)
def test_a_view_names_each_device(capture: Path, command: list[str]) -> None:
    result = CliRunner().invoke(main, [*command, str(capture)])

    assert [name for name in IDS if name not in result.output] == [], result.output


def test_so_does_the_report(capture: Path, tmp_path: Path) -> None:
    CliRunner().invoke(main, ["report", str(capture), "-o", str(tmp_path / "vm.html")])
    page = (tmp_path / "vm.html").read_text()

    assert [name for name in IDS if f"({name})" not in page] == []
