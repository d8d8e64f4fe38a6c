"""A situation is recorded once for all tests of a class, which names it: `capture = "NAME"`, as in `captures`."""

from pathlib import Path

import pytest

from tests.peers.captures import CAPTURES
from tests.peers.meaning import Meaning, meaning_of

_RECORDING = "recorded.pcapng"


@pytest.fixture(scope="class")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("peers")


@pytest.fixture(scope="class")
def seen(request: pytest.FixtureRequest, folder: Path) -> object:
    """What could be seen of the situation from outside."""
    return CAPTURES[request.cls.capture].situation.record(folder, folder / _RECORDING)


@pytest.fixture(scope="class")
def meaning(seen: object, folder: Path) -> Meaning:
    """What the recording says."""
    return meaning_of(folder / _RECORDING)
