"""The page of states is generated from the tables."""

from pathlib import Path

from vudissect.render.diagrams import states_markdown


def test_the_page_is_up_to_date() -> None:
    page = Path(__file__).parents[2] / "docs" / "states.md"

    assert "\n".join(states_markdown()) + "\n" == page.read_text(), "stale: run make docs"
