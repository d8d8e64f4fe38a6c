"""`--device`: the type of the device, in every command that reads captures."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.cli.test_replay import TALK, back_end, save
from tests.conversation import Conversation
from tests.replay.talks import records_of
from vudissect.capture.files import open_capture
from vudissect.capture.reader import read_capture
from vudissect.cli.main import main
from vudissect.protocol.devices import device_by_name

# A number of queues that the device has, which rules about its queues go by.
MQ = 1 << 12


def printed(*arguments: str) -> str:
    return CliRunner().invoke(main, arguments).output


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    """A session that looks like that of a network device."""
    talk = Conversation()
    talk.open("qemu-kvm", "passt")
    talk.ask("GET_FEATURES", features=MQ)
    talk.front_end("SET_CONFIG", offset=0, contents=bytes(8))
    path = tmp_path / "talk.pcapng"
    path.write_bytes(talk.capture())
    return path


@pytest.mark.parametrize(
    ("command", "guessed", "named"),
    [
        (("show",), "net?: mac", "blk: capacity 0"),
        (("show", "-v"), "contents.net?.mac", "contents.blk.capacity"),
        (("show", "--json"), '"device":"net","device_guessed":true', '"device":"blk","device_guessed":false'),
        (("summary",), "net (guessed), dialect", "blk, dialect"),
        (("summary", "--json"), '"device": "net", "device_guessed": true', '"device": "blk", "device_guessed": false'),
        (("state",), "device net (guessed)", "device blk\n"),
        (("state", "--json"), '"device_guessed": true', '"device_guessed": false'),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_it_takes_the_place_of_the_guess(capture: Path, command: tuple[str, ...], guessed: str, named: str) -> None:
    assert guessed in printed(*command, str(capture))
    assert named in printed(*command, "--device", "blk", str(capture))


@pytest.mark.parametrize(
    "arguments",
    [("lint", "{}"), ("explain", "--capture", "{}", "libvhost-user: Set virtio configuration space failed")],
    ids=lambda arguments: arguments[0],
)
def test_findings_go_by_it(capture: Path, arguments: tuple[str, ...]) -> None:
    # A driver may write the address of a network device, but not the size of a disk.
    command, *rest = (argument.format(capture) for argument in arguments)

    assert "the net configuration" not in printed(command, *rest)
    assert "writes capacity of the blk configuration" in printed(command, "--device", "blk", *rest)


def test_differences_go_by_it(capture: Path, tmp_path: Path) -> None:
    talk = Conversation()
    talk.open("qemu-kvm", "passt")
    talk.ask("GET_FEATURES", features=MQ)
    talk.front_end("SET_CONFIG", offset=0, contents=(7).to_bytes(8, "little"))
    other = tmp_path / "other.pcapng"
    other.write_bytes(talk.capture())

    assert "mac 07:00:00:00:00:00" in printed("diff", str(capture), str(other))
    assert "capacity 7" in printed("diff", "--device", "blk", str(capture), str(other))


def test_without_a_capture_it_has_no_meaning(capture: Path) -> None:
    done = CliRunner().invoke(main, ("explain", "--device", "blk", "virtio: oops"))

    assert done.exit_code == 2
    assert done.output.endswith(": explain: --device is about a capture: name one with --capture\n")


def test_a_replay_records_it(tmp_path: Path) -> None:
    path, again = save(tmp_path / "talk.pcapng", records_of(*TALK)), tmp_path / "again.pcapng"
    with back_end(tmp_path / "b.sock", TALK):
        printed(
            *("replay", str(path), "--as", "front-end", "--connect", str(tmp_path / "b.sock")),
            *("--device", "blk", "-w", str(again)),
        )

    with open_capture(str(again)) as stream:
        assert [record.device for record in read_capture(stream) if record.programs != ("", "")] == ["blk"]


@pytest.mark.parametrize("command", ["show", "summary", "lint", "state", "explain", "replay", "check", "diff"])
def test_an_unknown_type_is_refused_with_the_known_ones(command: str) -> None:
    done = CliRunner().invoke(main, (command, "--device", "toaster", "x"))

    assert done.exit_code == 2
    assert "toaster" in done.output
    assert "blk" in done.output
    assert device_by_name("toaster") is None
