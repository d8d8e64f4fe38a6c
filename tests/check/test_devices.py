"""The requests of device types: those that cases name exist, and no others do."""

import re

import pytest

from vudissect.check.cases import ALL_CASES
from vudissect.check.devices import DATA_PATHS

NAMED = re.compile(r"\* (?:request|offer|room for): (.+)")
USED = {(case.device, name) for case in ALL_CASES for name in NAMED.findall(case.talk)}


@pytest.mark.parametrize("device", DATA_PATHS)
def test_cases_name_the_requests_that_exist(device: str) -> None:
    assert {name for used, name in USED if used == device} == set(DATA_PATHS[device].requests)
