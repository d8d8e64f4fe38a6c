"""The pytest plugin: option, marker and fixture. Their code is imported when a test uses them."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from vudissect.testing.replayer import Replayer

_MARK = "vudissect"
_FIXTURE = "vudissect_replay"

# The captures that were recorded in this run, and the property of a test report that describes them.
RECORDED_NOW = pytest.StashKey[set[Path]]()
RECORDED = "vudissect_recorded"


class Recording(StrEnum):
    """When captures are recorded by running the real programs."""

    NONE = "none"
    ONCE = "once"  # if the capture is missing
    REWRITE = "rewrite"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--vudissect-record`."""
    parser.getgroup("vudissect").addoption(
        "--vudissect-record",
        choices=[recording.value for recording in Recording],
        default=Recording.NONE.value,
        help="Record captures of vhost-user sessions by running both programs with vuproxy between them: "
        "none (the default), once: those that are missing, rewrite: all.",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.stash[RECORDED_NOW] = set()
    config.addinivalue_line(
        "markers",
        f"{_MARK}(capture, role, *, listen, allow, policy, timeout, deadline, first, last, keep_going, incomplete, "
        "record_for): "
        f"the capture that {_FIXTURE} replays, and the side to play: 'front-end' or 'back-end'",
    )


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Fail a test that has the marker but would not replay anything."""
    fixtures = getattr(item, "fixturenames", ())
    if _FIXTURE not in fixtures and any(mark.name == _MARK for mark in item.own_markers):
        pytest.fail(f"vudissect marker: the test must use the fixture {_FIXTURE}", pytrace=False)


@pytest.fixture
def vudissect_replay(request: pytest.FixtureRequest) -> "Replayer":
    """Start a program and replay the capture of `@pytest.mark.vudissect(...)` against it.

    Call it with the command, `{socket}` in its words: `vudissect_replay(["my-backend", "--socket-path={socket}"])`.
    """
    from vudissect.testing.marker import MarkerError, settings
    from vudissect.testing.replayer import Replayer

    mark = request.node.get_closest_marker(_MARK)
    if mark is None:
        pytest.fail(f"{_FIXTURE}: mark the test with @pytest.mark.{_MARK}(CAPTURE, role=...)", pytrace=False)
    try:
        return Replayer(request.node, settings(mark.args, mark.kwargs, request.node.path.parent))
    except MarkerError as error:
        raise pytest.fail.Exception(f"{_MARK} marker: {error}", pytrace=False) from None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """List the captures that were recorded."""
    if config.getoption("vudissect_record") == Recording.NONE.value:
        return
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "when", None) == "call":
                for name, text in report.user_properties:
                    if name == RECORDED:
                        terminalreporter.write_line(f"vudissect recorded {text}")
