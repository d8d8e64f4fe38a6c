"""Public bugs on demand: scenarios of at most three lines between the reference peers, and the reported finding."""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import sleep

from tests.interop.scenarios import SCENARIOS
from tests.proxy.harness import PATIENCE, eventually
from vudissect.analysis import analyse, findings
from vudissect.capture.errors import CaptureError
from vudissect.lint.finding import Blame, Finding
from vudissect.protocol.features import PROTOCOL_FEATURES


@contextmanager
def running(module: str, *arguments: str, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    with (folder / f"{module}.log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-m", module, *arguments], cwd=folder, stdout=log, stderr=log)
        try:
            yield process
        finally:
            process.terminate()
            process.wait(PATIENCE)


def is_set_up(folder: Path) -> bool:
    """Whether the back-end was sent what ends the set-up; the capture is still being written."""
    try:
        return any(event.name == "SET_VRING_ENABLE" for event, _ in analyse(folder / "talk.pcapng", rules=()))
    except (CaptureError, FileNotFoundError):
        return False


def play(
    folder: Path, scenario: Sequence[str], *, seconds: float = 0.0, flaw: str = "", without: tuple[str, ...] = ()
) -> list[Finding]:
    """The findings of a session between the reference peers with faults, which ends so many seconds after the set-up.

    The back-end has a flaw, the name of a case that finds it, and does not offer some protocol features.
    """
    (folder / "scenario").write_text("\n".join(scenario))
    (folder / "flaw").write_text(flaw)
    hidden = f"{PROTOCOL_FEATURES.mask(*without):#x}"
    vuproxy = ["-q", "--listen", "front.sock", "--connect", "back.sock", "-w", "talk.pcapng"]
    with running("vudissect.check.reference", "back.sock", "flaw", hidden, folder=folder):
        eventually((folder / "back.sock").exists)
        with running("vudissect.cli.vuproxy", *vuproxy, "--scenario", "scenario", folder=folder):
            eventually((folder / "front.sock").exists)
            with running("vudissect.check.front_end.reference", "front.sock", folder=folder) as front_end:
                eventually(lambda: front_end.poll() is not None or is_set_up(folder))
                sleep(seconds)
                front_end.terminate()
                front_end.wait(PATIENCE)
    assert len(scenario) <= 3
    return findings(os.fspath(folder / "talk.pcapng")).findings


def reported(number: int) -> str:
    """The rule that a capture of the real bug breaks."""
    (scenario,) = (each for each in SCENARIOS if each.number == number)
    return scenario.expected[0].rule


def not_coping(found: Sequence[Finding]) -> list[str]:
    """The rules that say that a peer does not cope with a fault."""
    return [finding.rule for finding in found if finding.rule.startswith("VU-FLT") and finding.severity != "info"]


def test_the_first_request_is_lost(tmp_path: Path) -> None:
    scenario = ["SET_VRING_ENABLE : delay 1s"]

    found = play(tmp_path, scenario, seconds=1.5, flaw="RNG-29", without=("STATUS",))

    lost = [finding for finding in found if finding.rule == reported(7)]
    assert [(finding.blame, finding.severity.value) for finding in lost] == [(Blame.FRONT_END, "warning")]


def test_reset_owner_is_sent_when_the_ring_is_stopped(tmp_path: Path) -> None:
    found = play(tmp_path, ["GET_VRING_BASE and kind=reply : insert RESET_OWNER"])

    assert [finding.blame for finding in found if finding.rule == reported(8)] == [Blame.FAULT]
    assert not_coping(found) == []


def test_the_back_end_is_gone_each_time_it_gets_the_memory(tmp_path: Path) -> None:
    found = play(tmp_path, ["SET_MEM_TABLE or ADD_MEM_REG : close back-end"])

    loop = [finding for finding in found if finding.rule == reported(21)]
    assert [finding.blame for finding in loop] == [Blame.FAULT]
    assert "did not read ADD_MEM_REG" in loop[0].message


def test_a_deadlock_across_two_sockets(tmp_path: Path) -> None:
    scenario = [
        "GET_VRING_BASE and kind=request : insert CONFIG_CHANGE_MSG before need_reply",
        "CONFIG_CHANGE_MSG and kind=ack : drop",
        "GET_VRING_BASE and kind=reply : drop",
    ]

    found = play(tmp_path, scenario)

    deadlock = [finding for finding in found if finding.rule == reported(33)]
    assert [(finding.blame, finding.severity.value) for finding in deadlock] == [(Blame.FAULT, "error")]
    # It answers on the other socket while it waits, and gives up in the end.
    assert not_coping(found) == []


def test_without_the_scenario_there_is_no_such_finding(tmp_path: Path) -> None:
    found = play(tmp_path, ["SET_OWNER and ring=9 : drop"], without=("STATUS",))

    rules = {finding.rule for finding in found if finding.severity != "info"}
    assert rules & {reported(number) for number in (7, 8, 21, 33)} == set()
