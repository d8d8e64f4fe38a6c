"""Every command with what it cannot use: one line that names the thing and the remedy, and exit status 2."""

import re
import shutil
import subprocess
import sys
from contextlib import chdir
from pathlib import Path

import pytest

from tests.cli.program import TIMEOUT, run
from vudissect.cli.errors import clear_errors

CAPTURE = Path(__file__).parents[2] / "captures" / "qemu-10.0-blk-qsd.pcapng"

# What reads a file, with FILE for its name; the second element is what it must say of binary junk and of text.
CAPTURES = [
    "show FILE",
    "show --json FILE",
    "lint FILE",
    "summary FILE",
    "state FILE",
    "explain xyzzy --capture FILE",
    "replay FILE --as front-end --connect x",
    "wireshark check FILE",
    "diff FILE good.pcapng",
    "diff good.pcapng FILE",
    "times FILE",
    "rings FILE",
]
OTHERS = [
    "compose FILE",
    "check matrix FILE",
    "check --expect FILE -- true {socket}",
    "replay good.pcapng --as front-end --connect x --policy FILE",
]
NO_CAPTURE = (
    "not a pcapng capture: give a file that vuproxy or Wireshark wrote, plain, .gz or .zst; for a log, vudissect import"
)
# What is wrong with a file, and what is said of it.
NOT_CAPTURES = [
    ("boot.pcap", "No such file or directory; did you mean boot.pcapng?"),
    ("nowhere/x", "No such file or directory: there is no folder nowhere"),
    ("empty", "the input is empty, not a capture"),
    ("junk", NO_CAPTURE),
    ("text", NO_CAPTURE),
    ("classic", "a classic pcap file, but only pcapng can be read: use editcap -F pcapng OLD NEW"),
    ("damaged", "byte 0: a section header without a byte order mark"),
]
# Commands that name something that does not exist, or write where that is not possible.
WRONG_WORDS = [
    ("show", "Missing argument 'FILE'. See vudissect show --help."),
    ("show folder", "folder: Is a directory: name a file in it"),
    ("show good.pcapng good.pcapng", "Got unexpected extra argument (good.pcapng). See vudissect show --help."),
    ("show --ring x good.pcapng", "Invalid value for '--ring': 'x' is not a valid integer range."),
    ("show --filter ring good.pcapng", "--filter: column 1: ring needs an operator and a value: ring=..."),
    ("show --device bkl good.pcapng", "did you mean blk?"),
    ("replay good.pcapng", "Missing option '--as'. Choose from: front-end, back-end. See vudissect replay --help."),
    ("replay good.pcapng --as front-end", "the live peer is required: use --connect ADDRESS or --listen ADDRESS"),
    ("state good.pcapng --at 99999", "good.pcapng: no frame 99999, the last one is "),
    ("lint folder", "folder: there is no capture in this directory"),
    ("lint good.pcapng --junit nowhere/x", "nowhere/x: No such file or directory: there is no folder nowhere"),
    ("lint good.pcapng --junit folder", "folder: Is a directory: name a file in it"),
    ("diff good.pcapng", "Missing argument 'FILE[@CONNECTION]'."),
    ("diff good.pcapng@7 good.pcapng", "good.pcapng: there is no connection 7"),
    ("messages nosuch", "unknown message 'nosuch'; vudissect messages lists them"),
    ("rules nosuch-rule-at-all", "unknown rule 'nosuch-rule-at-all'; vudissect rules lists them"),
    ("messages --dialect xyz", "unknown dialect 'xyz'; vudissect dialects lists them"),
    ("check", "--connect SOCKET"),
    ("check -- true", "the command names no socket: write {socket} where the back-end wants its path"),
    ("check --only nosuch --list", "'nosuch' selects no case: give ids"),
    ("explain nosuchfile", "nosuchfile: no such file, and not a known line of a log"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bad")
    shutil.copy(CAPTURE, folder / "good.pcapng")
    shutil.copy(CAPTURE, folder / "boot.pcapng")
    (folder / "folder").mkdir()
    (folder / "empty").touch()
    (folder / "junk").write_bytes(bytes(range(256)) * 16)
    (folder / "text").write_text("hello\n")
    (folder / "classic").write_bytes(bytes.fromhex("d4c3b2a1") + bytes(20))
    (folder / "damaged").write_bytes(CAPTURE.read_bytes()[:8] + bytes(100))
    return folder


def complaint(folder: Path, line: str) -> str:
    """The one line on standard error of a command that exits with status 2."""
    with chdir(folder):
        done = run(*line.split())
    lines = done.stderr.decode().splitlines()
    assert (done.returncode, len(lines)) == (2, 1), done.stderr
    assert re.match(r"vudissect: ", lines[0])
    return lines[0]


@pytest.mark.parametrize("command", CAPTURES)
@pytest.mark.parametrize(("file", "says"), [NOT_CAPTURES[0], NOT_CAPTURES[3]], ids=["missing", "junk"])
def test_every_command_that_reads_a_capture(folder: Path, command: str, file: str, says: str) -> None:
    assert complaint(folder, command.replace("FILE", file)) == f"vudissect: {file}: {says}"


@pytest.mark.parametrize(("file", "says"), NOT_CAPTURES)
def test_every_kind_of_file_that_is_not_a_capture(folder: Path, file: str, says: str) -> None:
    assert complaint(folder, f"state {file}").startswith(f"vudissect: {file}: {says}")


@pytest.mark.parametrize("command", OTHERS)
@pytest.mark.parametrize("file", ["boot.pcap", "folder", "junk", "text"])
def test_every_command_that_reads_something_else(folder: Path, command: str, file: str) -> None:
    assert complaint(folder, command.replace("FILE", file)).startswith(f"vudissect: {file}: ")


@pytest.mark.parametrize(("line", "says"), WRONG_WORDS, ids=[line for line, _ in WRONG_WORDS])
def test_words_that_mean_nothing(folder: Path, line: str, says: str) -> None:
    assert says in complaint(folder, line)


def test_a_file_that_may_not_be_read(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end, clear_errors("boot.pcapng"):
        raise PermissionError(13, "Permission denied", "boot.pcapng")

    assert end.value.code == 2
    text = "boot.pcapng: Permission denied: it belongs to another user, or its mode does not allow this\n"
    assert capsys.readouterr().err.endswith(text)


@pytest.mark.parametrize("line", ["show good.pcapng", "messages", "rules", "lint --json good.pcapng", "--help"])
def test_a_reader_that_leaves_is_no_error(folder: Path, line: str) -> None:
    done = subprocess.run(
        ["bash", "-c", f'{sys.executable} -m vudissect {line} | head -n 1 >/dev/null; echo "${{PIPESTATUS[0]}}"'],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
    )

    assert (done.stdout, done.stderr) == ("0\n", "")
