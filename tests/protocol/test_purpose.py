"""Purposes that nobody needs, and those whose messages should change the state but do not."""

import ast
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest

import vudissect
from vudissect.protocol.dialects import DIALECTS
from vudissect.protocol.purpose import Purpose
from vudissect.session.effects import ON_REPLY, ON_REQUEST

PACKAGE = Path(vudissect.__file__).parent


def named() -> Iterator[str]:
    """The purposes that code outside the table names: effects, rules, views."""
    for path in PACKAGE.rglob("*.py"):
        if PACKAGE / "protocol" in path.parents:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "Purpose":
                yield node.attr


@pytest.fixture(scope="module")
def asked_for() -> set[str]:
    return set(named())


@pytest.mark.parametrize("purpose", Purpose)
def test_it_has_a_message(purpose: Purpose) -> None:
    assert any(row.purpose is purpose for dialect in DIALECTS for row in dialect.protocol.messages)


@pytest.mark.parametrize("purpose", Purpose)
def test_it_is_used(purpose: Purpose, asked_for: set[str]) -> None:
    assert purpose.name in asked_for


@pytest.mark.parametrize("purpose", Purpose)
def test_kept_purposes_have_an_effect_and_no_others_do(purpose: Purpose) -> None:
    assert purpose.kept == (purpose in set(chain(ON_REQUEST, ON_REPLY)))
