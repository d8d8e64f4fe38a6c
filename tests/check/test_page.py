"""The generated page."""

from pathlib import Path

from vudissect.check.page import page


def test_the_page_is_what_the_cases_say_now() -> None:
    written = Path(__file__).parents[2] / "docs" / "conformance-cases.md"

    assert written.read_text() == page(), "stale: run `make docs`"
