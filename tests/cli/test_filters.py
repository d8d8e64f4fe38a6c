"""`--filter` in the commands: what they show, what they report, and how they refuse."""

import json
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.cli.program import TIMEOUT, run
from tests.cli.test_commands import messages
from tests.conversation import Conversation
from tests.proxy.harness import Listener, Peer, eventually, message
from vudissect.capture.files import open_capture
from vudissect.capture.reader import read_capture


@pytest.fixture
def capture(tmp_path: Path) -> str:
    """A front-end that enables two rings wrongly, and asks for features in vain."""
    talk = Conversation()
    talk.front_end("SET_OWNER")
    talk.front_end("SET_VRING_ENABLE", index=0, num=7)
    talk.front_end("SET_VRING_ENABLE", index=1, num=8)
    talk.front_end("GET_FEATURES")
    path = tmp_path / "talk.pcapng"
    path.write_bytes(talk.capture())
    return str(path)


def said(result: subprocess.CompletedProcess[bytes]) -> str:
    return result.stderr.decode().removeprefix("vudissect: ").removesuffix("\n")


class TestShow:
    def test_it_shows_what_matches(self, capture: str) -> None:
        assert messages(run("show", "-Y", "ring=1 or SET_OWNER", capture)) == ["SET_OWNER", "SET_VRING_ENABLE"]

    def test_in_json_too(self, capture: str) -> None:
        lines = run("show", "--json", "--filter", "ring=1", capture).stdout.splitlines()

        assert [json.loads(line)["frame"] for line in lines] == [3]

    def test_the_short_options_have_to_match_as_well(self, capture: str) -> None:
        assert messages(run("show", "-Y", "num=7", "--ring", "1", "--ring", "0", "-m", "SET_*", capture)) == [
            "SET_VRING_ENABLE"
        ]

    def test_the_end_is_narrowed_too(self, capture: str) -> None:
        assert b"GET_FEATURES" not in run("show", "-Y", "ring=1", capture).stdout
        assert b"VU-RPL-03" in run("show", "-Y", "rule=VU-RPL-03", capture).stdout

    @pytest.mark.parametrize("options", [["-Y", "SET_MEM_TABLE"], ["-m", "SET_MEM_TABLE"]])
    def test_nothing_that_matches_is_reported(self, capture: str, options: list[str]) -> None:
        result = run("show", *options, capture)

        assert (result.returncode, result.stdout, said(result)) == (
            0,
            b"",
            "no message matches SET_MEM_TABLE; messages seen: GET_FEATURES, SET_OWNER, SET_VRING_ENABLE",
        )

    def test_what_is_not_looked_for_cannot_match(self, capture: str) -> None:
        result = run("show", "--no-findings", "-Y", "has:finding", capture)

        assert result.returncode == 2
        assert said(result) == "--no-findings: nothing could match has:finding: omit one of them"


class TestLint:
    def rules(self, result: subprocess.CompletedProcess[bytes]) -> list[tuple[str, int]]:
        lines = [json.loads(line) for line in result.stdout.splitlines()]
        return [(line["rule"], line["frame"]) for line in lines]

    def test_it_reports_what_is_about_matching_messages(self, capture: str) -> None:
        found = self.rules(run("lint", "--json", "-Y", "ring=1", capture))

        assert ("VU-VRG-03", 3) in found
        assert {frame for _, frame in found} == {3}

    def test_what_is_found_at_the_end_matches_by_its_rule(self, capture: str) -> None:
        assert self.rules(run("lint", "--json", "-Y", "rule=VU-RPL-03", capture)) == [("VU-RPL-03", 4)]

    def test_the_status_is_about_what_matches(self, capture: str) -> None:
        assert [run("lint", "-Y", text, capture).returncode for text in ("ring=1", "SET_OWNER")] == [1, 0]

    def test_nothing_that_matches_in_any_capture_is_reported_once(self, capture: str) -> None:
        result = run("lint", "-Y", "SET_MEM_TABLE", capture, capture)

        assert (result.returncode, said(result).count("no message matches SET_MEM_TABLE;")) == (0, 1)

    def test_a_match_in_one_capture_is_enough(self, capture: str, tmp_path: Path) -> None:
        other = tmp_path / "other.pcapng"
        talk = Conversation()
        talk.front_end("SET_OWNER")
        other.write_bytes(talk.capture())

        assert run("lint", "-Y", "ring=1", capture, str(other)).stderr == b""


@pytest.mark.parametrize("command", ["show", "lint", "state"])
@pytest.mark.parametrize("text", ["SET_OWNR", "ring=\x1b[31m", "(" * 200, "", "\n", "x" * 20_000])
def test_what_is_not_understood_is_refused_in_one_line(capture: str, command: str, text: str) -> None:
    result = run(command, "-Y", text, capture)

    assert (result.returncode, result.stdout) == (2, b"")
    assert said(result).startswith("--filter: column ")
    assert (result.stderr.count(b"\n"), result.stderr.count(b"\x1b")) == (1, 0)


def test_an_unknown_message_of_the_short_option_is_refused(capture: str) -> None:
    result = run("show", "-m", "SET_OWNR", capture)

    assert (result.returncode, said(result)) == (2, "-m: unknown message SET_OWNR; did you mean SET_OWNER?")


class TestProxy:
    def talk(self, path: Path, listener: Listener) -> None:
        calling = socket.socket(socket.AF_UNIX)
        # Between bind and listen it is there and refuses.
        eventually(lambda: calling.connect_ex(str(path)) == 0)
        front, back = Peer(calling), listener.accept()
        for name in ("SET_OWNER", "GET_QUEUE_NUM"):
            front.send(message(name))
            back.receive()
        front.close()
        assert back.at_end()
        back.close()

    def proxy(self, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
        """A session of two messages through a proxy."""
        listener = Listener(str(folder / "back.sock"))
        command = [sys.executable, "-m", "vudissect.cli.vuproxy", "--once", *options]
        arguments = ["--listen", "front.sock", "--connect", "back.sock", "-w", "live.pcapng"]
        with subprocess.Popen(
            [*command, *arguments], cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            try:
                self.talk(folder / "front.sock", listener)
                output, errors = process.communicate(timeout=TIMEOUT)
            finally:
                process.kill()
        listener.close()
        return subprocess.CompletedProcess(command, process.returncode, output, errors)

    def test_the_live_transcript_shows_what_matches_and_all_is_recorded(self, tmp_path: Path) -> None:
        result = self.proxy(tmp_path, "--filter", "SET_OWNER")

        transcript, _, summary = result.stdout.partition("\nverdict ")
        assert [line.split()[3] for line in transcript.splitlines()] == ["SET_OWNER"]
        assert "1 connection, 2 messages" in summary
        with open_capture(str(tmp_path / "live.pcapng")) as stream:
            assert len([record for record in read_capture(stream) if record.data]) == 2

    def test_nothing_that_matches_is_reported(self, tmp_path: Path) -> None:
        result = self.proxy(tmp_path, "-Y", "SET_MEM_TABLE")

        assert result.stdout.startswith("\nverdict ")
        assert "vuproxy: no message matches SET_MEM_TABLE; messages seen: GET_QUEUE_NUM, SET_OWNER\n" in result.stderr

    @pytest.mark.parametrize(
        ("options", "says"),
        [
            (["--filter", "SET_OWNR"], "--filter: column 1: unknown message SET_OWNR; did you mean SET_OWNER?"),
            (["--filter", "SET_OWNER", "-q"], "--filter is for the live transcript, which -q turns off"),
            (["--filter", "SET_OWNER", "-w", "-"], "--filter is for the live transcript, which -w - turns off"),
        ],
    )
    def test_what_makes_no_sense_is_refused(self, options: Sequence[str], says: str) -> None:
        command = [sys.executable, "-m", "vudissect.cli.vuproxy", "--listen", "a", "--connect", "b", *options]
        result = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT)

        assert result.returncode == 2
        assert result.stderr.startswith(f"vuproxy: {says}")
        assert result.stderr.count("\n") == 1
