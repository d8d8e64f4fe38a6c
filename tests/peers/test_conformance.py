"""Real programs do what they are known to do: `docs/conformance/expect/` has their results."""

from pathlib import Path

import pytest

from tests.peers.checked import BACK_ENDS, CHECKED, FRONT_ENDS, Checked, check
from tests.peers.releases import Release

_EXPECT = Path(__file__).parents[2] / "docs" / "conformance" / "expect"
_QUICK = Path(__file__).with_name("packages.txt").read_text().split()


def _row(checked: Checked) -> object:
    """Quick are back-ends whose package every run of the tests has: a front-end is started for each case."""
    quick = checked.release is Release.BOOKWORM and checked in BACK_ENDS and checked.package in _QUICK
    return pytest.param(checked, id=checked.key, marks=pytest.mark.peers if quick else pytest.mark.peers_slow)


@pytest.mark.parametrize("checked", [_row(checked) for checked in CHECKED])
def test_a_program_is_as_known(checked: Checked, tmp_path: Path) -> None:
    done = check(checked, tmp_path, ("--expect", str(_EXPECT / f"{checked.key}.json")))

    assert (done.returncode, "better" in done.stdout, done.stderr) == (0, False, ""), done.stdout


@pytest.mark.peers
@pytest.mark.parametrize(
    ("key", "connects", "listens"),
    [
        ("qemu-7.2", "path={socket},reconnect=1", "path={socket},server=on"),
        ("dpdk-virtio-user-22.11", "path={socket},queues=1", "path={socket},queues=1,server=1"),
    ],
)
def test_front_ends_that_listen_are_served_too(key: str, connects: str, listens: str, tmp_path: Path) -> None:
    (front_end,) = (each for each in FRONT_ENDS if each.key == key)
    words = [word.replace(connects, listens) for word in front_end.words]
    assert words != list(front_end.words)

    done = check(front_end._replace(words=words), tmp_path, ("--server", "--only", "F-00,F-05,F-76"))

    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert "3 pass" in done.stdout


@pytest.mark.peers
@pytest.mark.parametrize(
    ("key", "cases"), [("qemu-7.2", "F-00,F-05,F-46,F-68,F-76"), ("dpdk-virtio-user-22.11", "F-00")]
)
def test_some_cases_show_quickly_that_front_ends_are_served(key: str, cases: str, tmp_path: Path) -> None:
    """virtio_user looks at the ring all the time, and crashes over what it may not see."""
    (front_end,) = (each for each in FRONT_ENDS if each.key == key)

    done = check(front_end, tmp_path, ("--only", cases, "--expect", str(_EXPECT / f"{key}.json")))

    assert (done.returncode, "better" in done.stdout, done.stderr) == (0, False, ""), done.stdout
