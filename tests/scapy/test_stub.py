"""Editors and type checkers know the layers."""

import ast
from pathlib import Path

import vudissect.scapy as layer
from vudissect.scapy.stub import stub

FILE = Path(layer.__file__).with_suffix(".pyi")


def test_it_is_up_to_date() -> None:
    assert FILE.read_text("utf-8") == stub(), "make docs"


def test_it_has_every_name() -> None:
    names = set()
    for statement in ast.parse(stub()).body:
        if isinstance(statement, ast.ClassDef):
            names.add(statement.name)
        elif isinstance(statement, ast.ImportFrom):
            names |= {str(alias.asname) for alias in statement.names}

    assert set(layer.__all__) <= names
