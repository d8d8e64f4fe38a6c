"""docs/example works after it is copied elsewhere, and its output is as shown in docs/testing.md."""

import re
import shutil
from pathlib import Path

import pytest

from vudissect.testing.marker import OPTIONS

DOCS = Path(__file__).parents[2] / "docs"
BLOCKS = re.findall(r"^```\w*\n(.*?)^```$", (DOCS / "testing.md").read_text(), re.MULTILINE | re.DOTALL)
FAILURE, RECORDING = (block for block in BLOCKS if block.startswith(("different ", "vudissect recorded ")))


@pytest.fixture
def example(pytester: pytest.Pytester) -> Path:
    shutil.copytree(DOCS / "example", pytester.path, dirs_exist_ok=True)
    return pytester.path


def run(pytester: pytest.Pytester, *options: str) -> pytest.RunResult:
    return pytester.runpytest_inprocess("-p", "no:cacheprovider", *options)


def test_its_tests_pass(pytester: pytest.Pytester, example: Path) -> None:
    run(pytester).assert_outcomes(passed=3)


def test_a_failure_looks_as_shown(pytester: pytest.Pytester, example: Path) -> None:
    back_end = example / "backend.py"
    back_end.write_text(back_end.read_text().replace('mask("FLUSH", "MQ")', 'mask("MQ")'))

    result = run(pytester, "-k", "answers")

    result.assert_outcomes(failed=1, deselected=2)
    assert FAILURE in str(result.stdout)


def test_a_recording_looks_as_shown(pytester: pytest.Pytester, example: Path) -> None:
    result = run(pytester, "--vudissect-record=rewrite")

    result.assert_outcomes(passed=3)
    assert RECORDING in str(result.stdout)


def test_every_option_of_the_marker_is_documented() -> None:
    table = (DOCS / "testing.md").read_text().partition("## The marker")[2].partition("## The fixture")[0]
    assert set(OPTIONS) <= set(re.findall(r"`(\w+)`", table))
