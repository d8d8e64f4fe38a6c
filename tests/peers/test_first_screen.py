"""The first screen of the README takes somebody with a hung QEMU to the sentence that names the culprit.

It runs what the first screen says, with real programs: a back-end that is stopped, one that is killed, and an option
that is missing.
"""

import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.peers.daemons import storage_daemon
from tests.peers.processes import Process, program, running, wait_for_listener
from tests.proxy.harness import eventually

pytestmark = pytest.mark.peers

README = (Path(__file__).parents[2] / "README.md").read_text()
BIN = Path(sys.executable).parent
TIMEOUT = 30
SHARED_MEMORY = ("-object", "memory-backend-memfd,id=m,size=128M,share=on", "-numa", "node,memdev=m")


def first_screen() -> dict[str, list[str]]:
    """The commands of the first screen, by program and subcommand, without their comments."""
    (block,) = re.findall(r"^```\n(vuproxy .*?)^```$", README.partition("\n## ")[0], re.MULTILINE | re.DOTALL)
    lines = [shlex.split(line, comments=True) for line in block.splitlines()]
    return {"summary" if words[0] == "vudissect" else words[0]: words for words in lines}


COMMANDS = first_screen()


@dataclass(frozen=True)
class Hung:
    """A QEMU and its back-end, with the proxy of the first screen between them."""

    folder: Path
    proxy: Process
    back_end: Process
    qemu: Process

    def verdict(self) -> str:
        """The verdict of the summary, as one line."""
        done = subprocess.run(
            [BIN / COMMANDS["summary"][0], *COMMANDS["summary"][1:]],
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
        )
        verdict = done.stdout.partition("\n\n")[0].partition("\nalso ")[0]
        return " ".join(verdict.removeprefix("verdict").split())


@contextmanager
def machine(folder: Path, memory: Sequence[str] = SHARED_MEMORY, *, stopped: bool = False) -> Iterator[Hung]:
    """QEMU's firmware with an empty disk, set up as the first screen says. `stopped`: the back-end, from the start."""
    (folder / "disk.img").write_bytes(bytes(1 << 20))
    (socket,) = [word for word in COMMANDS["qemu-system-x86_64"] if word.startswith("socket,")]
    qemu = [program("qemu-system-x86_64", "qemu-system-x86"), "-accel", "tcg", "-nodefaults", "-nographic"]
    qemu += ["-m", "128", *memory, "-chardev", socket, "-device", "vhost-user-blk-pci,chardev=c"]
    proxy = [os.fspath(BIN / COMMANDS["vuproxy"][0]), *COMMANDS["vuproxy"][1:]]
    with storage_daemon(folder / "disk.img", "back.sock", folder) as back_end:
        if stopped:
            os.kill(back_end.pid, signal.SIGSTOP)
        try:
            with running("vuproxy", proxy, folder) as relay:
                wait_for_listener("front.sock", relay)
                with running("qemu", qemu, folder) as machine:
                    yield Hung(folder, relay, back_end, machine)
        finally:
            if back_end.alive():
                os.kill(back_end.pid, signal.SIGCONT)


def test_a_back_end_that_is_stopped(tmp_path: Path) -> None:
    with machine(tmp_path, stopped=True) as hung:
        eventually(lambda: "never got its answer" in hung.verdict())
        verdict = hung.verdict()

        assert hung.qemu.alive()
    assert verdict.startswith("the back-end is wrong (VU-RPL-03 in #2): GET_FEATURES (#2) never got its answer")


def test_a_back_end_that_is_killed(tmp_path: Path) -> None:
    with machine(tmp_path) as hung:
        hung.proxy.expect("SET_VRING_ENABLE.* ring 0 enable")
        hung.back_end.kill()
        hung.proxy.expect("closed by the back-end")

        eventually(lambda: "at fault" in hung.verdict())
        assert hung.verdict().startswith("the back-end is probably at fault (VU-END-01 in #")
        assert "the back-end closed the connection" in hung.verdict()
        assert "while ring 0 was running" in hung.verdict()


def test_memory_that_is_not_shared(tmp_path: Path) -> None:
    with machine(tmp_path, memory=()) as hung:
        hung.proxy.expect("closed by the back-end")

        eventually(lambda: "is wrong" in hung.verdict())
        assert hung.qemu.alive()
        assert hung.verdict().startswith("the front-end is wrong (VU-VRG-05 in #")
        assert hung.verdict().endswith("before any memory region, so the back-end cannot translate them")


def test_a_socket_that_does_not_exist(tmp_path: Path) -> None:
    with running("vuproxy", [os.fspath(BIN / "vuproxy"), *COMMANDS["vuproxy"][1:]], tmp_path) as relay:
        relay.expect("nobody listens at back.sock yet, where the back-end should be")
