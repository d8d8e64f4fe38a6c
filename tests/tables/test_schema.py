"""The schema, its page, and the rows of real captures."""

from pathlib import Path

import pytest

from vudissect.analysis import analyse
from vudissect.tables.collect import Tables
from vudissect.tables.page import page
from vudissect.tables.schema import TABLES, Table, Type

ROOT = Path(__file__).parents[2]
CAPTURES = sorted((ROOT / "captures").glob("*.pcapng"))
PYTHON = {Type.TEXT: str, Type.INTEGER: int, Type.WORD: int, Type.TIME: int, Type.FLAG: bool}


def test_the_page_is_what_the_schema_says_now() -> None:
    assert (ROOT / "docs" / "tables.md").read_text() == page(), "stale: run `make docs`"


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_a_column_has_a_name_of_its_own(table: Table) -> None:
    names = [column.name for column in table.columns]

    assert len(names) == len(set(names))
    assert names[:2] == ["file", "connection"]


@pytest.mark.parametrize("capture", CAPTURES, ids=lambda path: path.stem)
def test_every_value_has_the_type_of_its_column(capture: Path) -> None:
    wrong = [
        (batch.table.name, column.name, value)
        for batch in Tables(capture.name).batches(analyse(capture))
        for row in batch.rows
        for column, value in zip(batch.table.columns, row, strict=True)
        if value is not None and type(value) is not PYTHON[column.type]
    ]

    assert wrong == []
