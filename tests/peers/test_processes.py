"""Programs end with the block that they run in, and errors quote their output."""

from pathlib import Path

import pytest

from tests.peers.processes import PeerError, Process, program, running, wait_for_listener
from tests.proxy.harness import eventually


def _shell(script: str) -> list[str]:
    return ["/bin/sh", "-c", script]


def test_the_error_for_a_missing_program_names_its_package() -> None:
    with pytest.raises(PeerError, match="apt install no-such-package"):
        program("no-such-program", "no-such-package")


def test_a_program_ends_with_a_block_that_fails(tmp_path: Path) -> None:
    started: list[Process] = []

    def fail() -> None:
        with running("sleeper", _shell("exec sleep 60"), tmp_path) as process:
            started.append(process)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert not started[0].alive()


def test_a_program_that_fails_is_quoted(tmp_path: Path) -> None:
    with (
        running("failing", _shell("echo no luck; exit 3"), tmp_path) as process,
        pytest.raises(PeerError, match=r"(?s)failing exited with status 3.*no luck"),
    ):
        process.finish()


def test_waiting_for_output_ends_with_the_program(tmp_path: Path) -> None:
    with (
        running("silent", _shell("echo nothing of the kind"), tmp_path) as process,
        pytest.raises(PeerError, match=r"(?s)before it exited.*nothing of the kind"),
    ):
        process.expect("ready")


def test_waiting_for_a_listener_ends_with_the_program(tmp_path: Path) -> None:
    with (
        running("deaf", _shell("echo cannot listen"), tmp_path) as process,
        pytest.raises(PeerError, match=r"(?s)deaf does not listen at a.sock.*cannot listen"),
    ):
        wait_for_listener("a.sock", process)


def test_what_a_program_has_started_ends_with_it(tmp_path: Path) -> None:
    with running("parent", _shell("sleep 60 & echo child $!; wait"), tmp_path) as process:
        child = int(process.expect(r"child (\d+)")[1])
        process.kill()

    eventually(lambda: not _runs(child))


def _runs(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    # It may not have been reaped yet.
    return status.rpartition(")")[2].split()[0] not in "ZX"
