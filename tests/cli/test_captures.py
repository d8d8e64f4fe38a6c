"""Captures that are not whole or not of vhost-user, and files with odd names: the same for every command."""

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.cli.program import TIMEOUT, run
from tests.conversation import Conversation

COMMANDS = (
    ("show",),
    ("show", "--json"),
    ("show", "--no-findings"),
    ("lint",),
    ("lint", "--json"),
    ("state",),
    ("state", "--at", "1"),
    ("state", "--before", "2"),
    ("state", "--json"),
    ("wireshark", "check"),
    ("explain", "recvmsg failed", "--capture"),
    ("replay", "--as", "front-end", "--timeout", "0.01", "--connect", "/nowhere"),
)
READERS = COMMANDS[:-1]


def talk() -> Conversation:
    said = Conversation()
    said.open("qemu", "disk")
    said.front_end("SET_OWNER")
    said.front_end("SET_OWNER")
    return said


def last_line(result: subprocess.CompletedProcess[bytes]) -> str:
    return result.stderr.decode().splitlines()[-1]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_nothing_was_recorded(tmp_path: Path, command: tuple[str, ...]) -> None:
    path = tmp_path / "none.pcapng"
    path.write_bytes(Conversation().capture())

    result = run(*command, str(path))

    assert result.returncode == 2
    assert last_line(result).endswith("none.pcapng: no vhost-user messages in this capture: nothing to check")


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_nobody_said_anything(tmp_path: Path, command: tuple[str, ...]) -> None:
    said = Conversation()
    said.open("qemu", "disk")
    said.close("back-end")
    path = tmp_path / "silent.pcapng"
    path.write_bytes(said.capture())

    result = run(*command, str(path))

    assert result.returncode == 2
    assert last_line(result).endswith("silent.pcapng: no vhost-user messages in this capture: nothing to check")


@pytest.mark.parametrize("command", READERS, ids=" ".join)
@pytest.mark.parametrize("name", ["cut.pcapng", "cut.pcapng.gz"])
def test_what_was_cut_off_is_read_and_is_not_green(tmp_path: Path, command: tuple[str, ...], name: str) -> None:
    data = talk().capture()
    path = tmp_path / name
    path.write_bytes(gzip.compress(data, 0)[:-40] if name.endswith(".gz") else data[:-5])

    result = run(*command, str(path))

    assert result.returncode == 1
    assert f"{name}: " in last_line(result)
    assert result.stdout or command == ("lint", "--json")


def test_a_junit_report_of_what_was_cut_off_is_not_green(tmp_path: Path) -> None:
    path, report = tmp_path / "cut.pcapng", tmp_path / "junit.xml"
    path.write_bytes(talk().capture()[:-5])

    run("lint", str(path), "--junit", str(report))

    (suite,) = ElementTree.parse(report).iter("testsuite")
    assert suite.get("failures") == "1"


def test_one_of_several_without_messages_is_not_green(tmp_path: Path) -> None:
    good, none = tmp_path / "good.pcapng", tmp_path / "none.pcapng"
    good.write_bytes(talk().capture())
    none.write_bytes(Conversation().capture())

    assert run("lint", str(none), str(good)).returncode == 2


ODD = "a\x1b[31m\n<&\"'>\ufffe\u202eé"


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    """A broken capture whose name has everything that a name can have."""
    said = talk()
    said.front_end("SET_VRING_ENABLE", index=3, num=7)
    path = tmp_path / f"{ODD}\udcff.pcapng"
    path.write_bytes(said.capture())
    return path


def test_an_odd_name_is_escaped_in_a_report(odd: Path, tmp_path: Path) -> None:
    report = tmp_path / "junit.xml"

    result = run("lint", str(odd), str(odd), "--junit", str(report))

    lines = result.stdout.decode().splitlines()
    assert lines[0].endswith("/a\\x1b[31m\\n<&\"'>\ufffe\\u202eé\\xff.pcapng:")
    assert {suite.get("name") for suite in ElementTree.parse(report).iter("testsuite")} == {
        f"{tmp_path}/a\\x1b[31m\\n<&\"'>\\ufffe\\u202eé\\xff.pcapng"
    }


def test_in_json_it_is_unicode(odd: Path) -> None:
    lines = run("lint", "--json", str(odd)).stdout.splitlines()

    assert {json.loads(line)["file"] for line in lines} == {f"{odd.parent}/{ODD}\\udcff.pcapng"}


def test_in_an_error_it_is_one_line(odd: Path) -> None:
    odd.unlink()

    result = run("show", str(odd))

    assert (result.returncode, result.stderr.count(b"\n")) == (2, 1)
    assert b"\\x1b[31m\\n" in result.stderr


def test_a_usage_error_is_one_line() -> None:
    result = run("show", "--nos\x1bch")

    assert (result.returncode, result.stderr.count(b"\n"), result.stderr.count(b"\x1b")) == (2, 1, 0)
    assert result.stderr.endswith(b"See vudissect show --help.\n")


@pytest.mark.parametrize("value", ["nan", "inf", "-1", "1e9", "1e400", "x"])
@pytest.mark.parametrize(
    "command",
    [
        ("vuproxy", "--listen", "a", "--connect", "b", "--wait"),
        ("extcap", "--extcap-interface", "x", "--wait"),
        ("main", "replay", "x", "--as", "front-end", "--connect", "a", "--timeout"),
        ("main", "replay", "x", "--as", "front-end", "--connect", "a", "--speed"),
    ],
    ids=lambda command: f"{command[0]} {command[-1]}",
)
def test_a_number_of_seconds_is_one(command: tuple[str, ...], value: str) -> None:
    module, *arguments = command
    result = subprocess.run(
        [sys.executable, "-c", f"from vudissect.cli.{module} import main; main()", *arguments, value],
        capture_output=True,
        timeout=TIMEOUT,
        check=False,
    )

    assert (result.returncode, result.stderr.count(b"\n")) == (2, 1)
    assert f"Invalid value for '{arguments[-1]}'".encode() in result.stderr


@pytest.mark.parametrize("command", ["compose", "explain"])
def test_a_line_without_end_is_refused(command: str) -> None:
    result = run(command, "/dev/zero")

    assert (result.returncode, result.stdout) == (2, b"")
    assert last_line(result).endswith("/dev/zero: line 1 is longer than 1048576 bytes: not a text file")


def test_a_conversation_that_goes_wrong_is_not_read_to_its_end() -> None:
    command = f"yes hello | {sys.executable} -m vudissect.cli compose -"

    result = subprocess.run(["bash", "-c", command], capture_output=True, timeout=TIMEOUT, check=False)

    assert result.returncode == 2
    assert b"line 1: no line begins with 'hello'" in result.stderr


def test_a_log_that_grows_is_explained_as_it_comes() -> None:
    command = [sys.executable, "-m", "vudissect.cli", "explain", "-"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"recvmsg failed\n")
        process.stdin.flush()

        assert process.stdout.readline() == b"1: recvmsg failed\n"

        process.stdin.close()
        process.stdout.read()


def test_a_conversation_without_words_makes_no_capture(tmp_path: Path) -> None:
    result = run("compose", "-", "-w", str(tmp_path / "talk.pcapng"), stdin=b"# nothing\n")

    assert result.returncode == 2
    assert not (tmp_path / "talk.pcapng").exists()


@pytest.mark.parametrize(
    "arguments", [("messages", "9" * 5000), ("show", "--ring", "9" * 5000, "x"), ("rules", "\x1b")]
)
def test_odd_words_are_refused_in_one_line(arguments: tuple[str, ...]) -> None:
    result = run(*arguments)

    assert (result.returncode, result.stderr.count(b"\n"), result.stderr.count(b"\x1b")) == (2, 1, 0)
    assert len(result.stderr) < 1200


def test_a_missing_file_that_is_followed_leaves_one_line() -> None:
    result = subprocess.run(
        [sys.executable, "-X", "dev", "-m", "vudissect.cli", "show", "-f", "/nowhere"],
        capture_output=True,
        timeout=TIMEOUT,
        env=os.environ | {"PYTHONWARNINGS": "ignore"},
        check=False,
    )

    assert (result.returncode, result.stderr.count(b"\n")) == (2, 1)
