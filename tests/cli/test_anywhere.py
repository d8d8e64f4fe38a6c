"""Captures can be read on any system, and the commands can be called as modules."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CAPTURE = "captures/qemu-10.0-blk-qsd-back-end-killed.pcapng"
TALK = "tests/interop/29-old-call-descriptor-kept.vu"
READERS = [
    ["show", CAPTURE],
    ["show", "-v", CAPTURE],
    ["summary", CAPTURE],
    ["times", CAPTURE],
    ["diff", CAPTURE, CAPTURE],
    ["show", "--json", CAPTURE],
    ["lint", CAPTURE],
    ["state", CAPTURE, "--at", "40"],
    ["explain", "Received unexpected msg type. Expected 22 received 40", "--capture", CAPTURE],
    ["messages"],
    ["dialects", "xen-rfc"],
    ["rules", "VU-RPL-03"],
    ["wireshark", "generate"],
]


def run(*command: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([sys.executable, *command], cwd=ROOT, capture_output=True, timeout=60, check=False)


def elsewhere(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    """A command on a system that is not Linux."""
    return run("tests/cli/laptop.py", *arguments)


@pytest.mark.parametrize("arguments", READERS, ids=" ".join)
def test_a_capture_is_read_on_any_system(arguments: list[str]) -> None:
    here, there = run("-m", "vudissect", *arguments), elsewhere(*arguments)

    assert there.stderr == b""
    assert (there.returncode, there.stdout) == (here.returncode, here.stdout)


def test_a_conversation_becomes_a_capture_on_any_system(tmp_path: Path) -> None:
    written = tmp_path / "talk.pcapng"

    written.write_bytes(elsewhere("compose", TALK).stdout)

    assert b"SET_VRING_CALL" in run("-m", "vudissect", "show", str(written)).stdout


@pytest.mark.parametrize("arguments", [["replay", CAPTURE], ["demo"]], ids=lambda words: words[0])
def test_what_opens_sockets_says_that_it_needs_linux(arguments: list[str]) -> None:
    result = elsewhere(*arguments)

    assert result.returncode == 2
    assert result.stderr.startswith(b"vudissect: this needs Linux")
    assert result.stderr.count(b"\n") == 1


def test_the_proxy_says_that_it_needs_linux() -> None:
    result = elsewhere("vuproxy", "--listen", "a", "--connect", "b")

    assert result.returncode == 2
    assert result.stderr.startswith(b"vuproxy: this needs Linux")
    assert result.stderr.count(b"\n") == 1


@pytest.mark.parametrize(
    ("module", "program"), [("vudissect", "vudissect"), ("vudissect.cli.vuproxy", "vuproxy")], ids=["main", "proxy"]
)
class TestAsAModule:
    def test_it_has_the_name_of_the_command(self, module: str, program: str) -> None:
        assert run("-m", module, "--version").stdout.startswith(program.encode() + b", version ")

    def test_its_help_has_the_name_of_the_command(self, module: str, program: str) -> None:
        assert run("-m", module, "--help").stdout.startswith(b"Usage: " + program.encode() + b" ")


def test_a_module_fails_as_the_command_does() -> None:
    result = run("-m", "vudissect", "show", "missing.pcapng")

    assert result.returncode == 2
    assert result.stderr.startswith(b"vudissect: missing.pcapng: No such file or directory")
    assert result.stderr.count(b"\n") == 1


def test_the_proxy_as_a_module_fails_as_the_command_does() -> None:
    result = run("-m", "vudissect.cli.vuproxy", "--listen", "front.sock")

    assert result.returncode == 2
    assert result.stderr.startswith(b"vuproxy: ")
