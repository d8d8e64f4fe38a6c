"""The architecture: each package is in a layer and imports only packages of lower layers."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from vudissect.protocol.features import PROTOCOL_FEATURES
from vudissect.protocol.table import UPSTREAM

PACKAGE = Path(__file__).parents[1] / "vudissect"
LAYERS = {
    "protocol": 1,
    "host": 1,
    "wire": 2,
    "capture": 2,
    "launch": 2,
    "rings": 3,
    "session": 3,
    "conversation": 4,
    "compare": 4,
    "lint": 4,
    "analysis": 5,
    "summary": 5,
    "timing": 5,
    "check": 6,
    "filter": 6,
    "metrics": 6,
    "proxy": 6,
    "replay": 6,
    "render": 6,
    "scapy": 6,
    "sources": 6,
    "wireshark": 6,
    "faults": 7,
    "fuzz": 7,
    "report": 7,
    "tables": 7,
    "bundle": 8,
    "export": 8,
    "scenario": 8,
    "spark": 8,
    "cli": 9,
    "testing": 9,
    "__init__": 10,
    "__main__": 10,
}
MODULES = sorted(PACKAGE.rglob("*.py"))
EXTRAS = {"duckdb", "pyarrow", "pyshark", "pyspark", "scapy"}
# They are imported only by those who ask for them.
OF_AN_EXTRA = {"scapy", "spark", "export/parquet.py", "export/query.py", "tables/arrow.py"}
PACKAGES_WITH_SOCKETS = {"host", "check", "fuzz", "proxy", "replay", "cli"}


def name(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


def package(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_a_package_imports_only_lower_layers(path: Path) -> None:
    here = package(path)
    used = {module.split(".")[1] for module in imports(path) if module.startswith("vudissect.")} - {here}

    assert {there for there in used if LAYERS[there] >= LAYERS.get(here, 0)} == set()


def test_the_page_about_the_architecture_has_all_layers() -> None:
    page = (PACKAGE.parent / "docs" / "architecture.md").read_text()
    rows = re.findall(r"^\| (\d) \| (`vudissect/.*?`) \|", page, re.MULTILINE)
    named = {
        each.removesuffix(".py"): int(layer) for layer, cell in rows for each in re.findall(r"vudissect/(\S+?)`", cell)
    }

    assert named == {each: layer for each, layer in LAYERS.items() if not each.startswith("__")}


@pytest.mark.parametrize("path", [path for path in MODULES if not {package(path), name(path)} & OF_AN_EXTRA], ids=name)
def test_only_the_packages_of_an_extra_need_what_it_installs(path: Path) -> None:
    used = {".".join(module.split(".")[:2]) for module in imports(path)}

    assert {module for module in used if module.split(".")[0] in EXTRAS or module == "vudissect.scapy"} == set()


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_only_some_packages_use_sockets(path: Path) -> None:
    if package(path) not in PACKAGES_WITH_SOCKETS:
        assert not {"socket", "select", "selectors", "threading", "asyncio"} & set(imports(path))


@pytest.mark.parametrize("path", [*MODULES, *sorted(PACKAGE.rglob("*.lua"))], ids=name)
def test_no_module_is_too_long(path: Path) -> None:
    assert len(path.read_text().splitlines()) < 400


def names_messages(path: Path) -> bool:
    """Conversations name messages, and so do the rows."""
    return package(path) in {"protocol", "replay"} or path.is_relative_to(PACKAGE / "check" / "cases")


@pytest.mark.parametrize("path", [path for path in MODULES if not names_messages(path)], ids=name)
def test_messages_are_named_only_in_the_table(path: Path) -> None:
    names = {spelling for row in UPSTREAM.messages for spelling in (row.name, *row.aliases)}
    strings = {
        node.value
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }

    # A protocol feature may have the name of its message.
    assert strings & names - PROTOCOL_FEATURES.numbers.keys() == set()
