"""The house: each room stands on a floor and imports only what stands below it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from vudissect.protocol.table import UPSTREAM

PACKAGE = Path(__file__).parents[1] / "vudissect"
FLOORS = {
    "protocol": 1,
    "host": 1,
    "wire": 2,
    "capture": 2,
    "session": 3,
    "conversation": 4,
    "compare": 4,
    "lint": 4,
    "proxy": 5,
    "replay": 5,
    "analysis": 5,
    "filter": 5,
    "render": 5,
    "scapy": 5,
    "wireshark": 5,
    "cli": 6,
    "testing": 6,
    "__init__": 7,
    "__main__": 7,
}
MODULES = sorted(PACKAGE.rglob("*.py"))
EXTRAS = {"pyshark", "scapy"}
ROOMS_WITH_SOCKETS_AND_CLOCKS = {"proxy", "replay", "cli"}


def name(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_a_room_imports_only_rooms_below_it(path: Path) -> None:
    here = room(path)
    used = {module.split(".")[1] for module in imports(path) if module.startswith("vudissect.")} - {here}

    assert {there for there in used if FLOORS[there] >= FLOORS.get(here, 0)} == set()


@pytest.mark.parametrize("path", [path for path in MODULES if room(path) != "scapy"], ids=name)
def test_what_an_extra_installs_is_not_needed_elsewhere(path: Path) -> None:
    used = {".".join(module.split(".")[:2]) for module in imports(path)}

    assert {module for module in used if module.split(".")[0] in EXTRAS or module == "vudissect.scapy"} == set()


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_only_some_rooms_have_sockets_and_clocks(path: Path) -> None:
    if room(path) not in ROOMS_WITH_SOCKETS_AND_CLOCKS | {"host"}:
        assert not {"socket", "select", "selectors", "threading", "asyncio"} & set(imports(path))


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_no_module_is_crowded(path: Path) -> None:
    assert len(path.read_text().splitlines()) < 400


@pytest.mark.parametrize("path", [path for path in MODULES if room(path) not in {"protocol", "replay"}], ids=name)
def test_messages_are_named_in_the_table_only(path: Path) -> None:
    names = {spelling for row in UPSTREAM.messages for spelling in (row.name, *row.aliases)}
    strings = {
        node.value
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }

    assert strings & names == set()
