"""Records a situation for all tests of a class, which names it: `capture = "NAME"`, as in `captures`.

Once as it is, and among the tests that take long also by a `vuproxy` that looks into the rings.
"""

from pathlib import Path

import pytest

from tests.peers.captures import CAPTURES
from tests.peers.meaning import Meaning, meaning_of
from tests.peers.rings_seen import IN_SIGHT

_RECORDING = "recorded.pcapng"


@pytest.fixture(
    scope="class", params=[False, pytest.param(True, marks=pytest.mark.peers_slow)], ids=["alone", "rings in sight"]
)
def rings_in_sight(request: pytest.FixtureRequest) -> bool:
    """Whether `vuproxy` looks into the rings."""
    return bool(request.param)


@pytest.fixture(scope="class")
def folder(tmp_path_factory: pytest.TempPathFactory, *, rings_in_sight: bool) -> Path:
    """One for each recording."""
    return tmp_path_factory.mktemp("peers")


@pytest.fixture(scope="class")
def result(request: pytest.FixtureRequest, folder: Path, *, rings_in_sight: bool) -> object:
    """The result of the situation, as observed from outside."""
    capture = CAPTURES[request.cls.capture]
    options = IN_SIGHT if rings_in_sight else capture.options
    return capture.situation.record(folder, folder / _RECORDING, options)


@pytest.fixture(scope="class")
def recording(result: object, folder: Path) -> Path:
    return folder / _RECORDING


@pytest.fixture(scope="class")
def meaning(recording: Path) -> Meaning:
    """The contents of the recording."""
    return meaning_of(recording)
