"""Real back-ends do what they are known to do: `docs/conformance/expect/` has their results."""

from pathlib import Path

import pytest

from tests.peers.backends import BACK_ENDS, BackEnd, check
from tests.peers.releases import Release

_EXPECT = Path(__file__).parents[2] / "docs" / "conformance" / "expect"


def _row(back_end: BackEnd) -> object:
    """Quick are those that need no other release of Debian."""
    quick = back_end.release is Release.BOOKWORM
    return pytest.param(back_end, id=back_end.key, marks=pytest.mark.peers if quick else pytest.mark.peers_slow)


@pytest.mark.parametrize("back_end", [_row(back_end) for back_end in BACK_ENDS])
def test_a_back_end_is_as_known(back_end: BackEnd, tmp_path: Path) -> None:
    done = check(back_end, tmp_path, ("--expect", str(_EXPECT / f"{back_end.key}.json")))

    assert (done.returncode, "better" in done.stdout, done.stderr) == (0, False, ""), done.stdout
