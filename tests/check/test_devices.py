"""The requests of device types: those that cases name exist, and no others do."""

import re
from pathlib import Path

import pytest

from vudissect.check.cases import ALL_CASES
from vudissect.check.devices import DATA_PATHS

NAMED = re.compile(r"\* (?:request|offer|room for): (.+)")
USED = {(case.device, name) for case in ALL_CASES for name in NAMED.findall(case.talk)}


@pytest.mark.parametrize("device", DATA_PATHS)
def test_cases_name_the_requests_that_exist(device: str) -> None:
    assert {name for used, name in USED if used == device} == set(DATA_PATHS[device].requests)


def test_the_page_names_all_devices() -> None:
    page = (Path(__file__).parents[2] / "docs" / "conformance.md").read_text("utf-8")
    sentence = re.search(r"they exist for (.*?)\. ", page, re.DOTALL)

    assert sentence is not None
    assert re.split(r",\s+|\s+and\s+", sentence[1]) == sorted(DATA_PATHS)
