"""Records a situation once for all tests of a class, which names it: `capture = "NAME"`, as in `captures`."""

from pathlib import Path

import pytest

from tests.peers.captures import CAPTURES
from tests.peers.meaning import Meaning, meaning_of

_RECORDING = "recorded.pcapng"


@pytest.fixture(scope="class")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("peers")


@pytest.fixture(scope="class")
def result(request: pytest.FixtureRequest, folder: Path) -> object:
    """The result of the situation, as observed from outside."""
    return CAPTURES[request.cls.capture].situation.record(folder, folder / _RECORDING)


@pytest.fixture(scope="class")
def recording(result: object, folder: Path) -> Path:
    return folder / _RECORDING


@pytest.fixture(scope="class")
def meaning(recording: Path) -> Meaning:
    """The contents of the recording."""
    return meaning_of(recording)
