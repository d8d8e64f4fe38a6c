"""Real back-ends do what they are known to do: `docs/conformance/expect/` has their results."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.peers.daemons import VIRTIOFSD, VIRTIOFSD_LOCKS
from vudissect.host.python import python_module

pytestmark = pytest.mark.peers

_EXPECT = Path(__file__).parents[2] / "docs" / "conformance" / "expect"


@pytest.fixture
def disk(tmp_path: Path) -> list[str]:
    image = tmp_path / "disk.img"
    with image.open("wb") as file:
        file.truncate(16 << 20)
    return [
        "qemu-storage-daemon",
        *("--blockdev", f"driver=file,node-name=file,filename={image},locking=off"),
        *("--blockdev", "driver=raw,node-name=disk,file=file"),
        *("--export", "type=vhost-user-blk,id=disk,node-name=disk,writable=on,addr.type=unix,addr.path={socket}"),
    ]


@pytest.fixture
def file_system(tmp_path: Path) -> Iterator[list[str]]:
    yield [str(VIRTIOFSD), "--socket-path={socket}", "-o", f"source={tmp_path}", "-o", "sandbox=chroot"]
    for lock in VIRTIOFSD_LOCKS.glob("*vudissect-check-*.pid"):
        lock.unlink(missing_ok=True)


def check(expected: str, command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*python_module("vudissect"), "check", "--expect", str(_EXPECT / expected), "--", *command],
        capture_output=True,
        text=True,
        timeout=110,
    )


def test_qemu_storage_daemon_is_as_known(disk: list[str]) -> None:
    done = check("qemu-storage-daemon-7.2.json", disk)

    assert (done.returncode, "better" in done.stdout, done.stderr) == (0, False, ""), done.stdout


def test_virtiofsd_is_as_known(file_system: list[str]) -> None:
    done = check("virtiofsd-c-7.2.json", file_system)

    assert (done.returncode, "better" in done.stdout, done.stderr) == (0, False, ""), done.stdout
