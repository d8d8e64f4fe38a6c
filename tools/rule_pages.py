"""`make docs`: writes the page of each rule into a folder, and removes the pages of rules that are gone."""

import sys
from pathlib import Path

from vudissect.cli.rules import rule_page
from vudissect.lint.rules import ALL_RULES


def main(folder: Path) -> None:
    """Write all pages."""
    folder.mkdir(exist_ok=True)
    pages = {folder / f"{rule.id}.md": "\n".join(rule_page(rule).markdown()) + "\n" for rule in ALL_RULES}
    for path in set(folder.glob("*.md")) - pages.keys():
        path.unlink()
    for path, text in pages.items():
        path.write_text(text, "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
