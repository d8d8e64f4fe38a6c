"""`docs/tables.md`, from the schema: `python -m vudissect.tables.page` prints it."""

from collections.abc import Iterator

from vudissect.tables.schema import ABOUT_CAPTURES, SCHEMA_VERSION, TABLES

_INTRODUCTION = f"""# Tables

Made by `make docs` from `vudissect/tables/schema.py`. These are the tables that `vudissect export` writes, version
{SCHEMA_VERSION} of the schema; [fleet.md](fleet.md) says how to make and query them.

Every row has the capture that it is from. `file` and `connection` together are a session, `file` and `frame` a record.
A unit is in the name of its column: `_ns`, `_bytes`. Any column can be null, for what a capture does not show.

| type | Parquet | CSV and JSON |
|---|---|---|
| text | string | text |
| integer | int64 | number |
| word | uint64 | number; features, flags, and sizes from the wire |
| time | timestamp in ns, UTC | text: `2026-01-31 13:37:00.123456789`, UTC |
| flag | boolean | `true`, `false` |

`captures` and `errors` at the end have no files: `vudissect query` and [Spark](spark.md) have them.

A null is empty in CSV and `null` in JSON. Numbers outside of the range of their type, which only a damaged capture has,
are replaced by the nearest in it.

A later release may add columns at the end of a table. The version changes when a column is removed, renamed, or means
something else.
"""


def page() -> str:
    """The whole page."""
    return "".join(f"{line}\n" for line in _lines())


def _lines() -> Iterator[str]:
    yield _INTRODUCTION.rstrip("\n")
    for table in (*TABLES, *ABOUT_CAPTURES):
        yield ""
        yield f"## {table.name}"
        yield ""
        yield f"{table.rows[0].upper()}{table.rows[1:]}."
        yield ""
        yield "| column | type | what it is |"
        yield "|---|---|---|"
        for column in table.columns:
            yield f"| `{column.name}` | {column.type.value} | {column.meaning} |"


if __name__ == "__main__":
    print(page(), end="")
