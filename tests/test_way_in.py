"""What newcomers read is complete: the index, the help of make, the changelog, metadata, and every link."""

import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

from vudissect import __version__

ROOT = Path(__file__).parents[1]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
MAKEFILE = (ROOT / "Makefile").read_text("utf-8")
TARGETS = re.findall(r"^([a-z][a-z-]*):", MAKEFILE, re.MULTILINE)
PAGES = sorted(ROOT.glob("docs/**/*.md"))
HAND_WRITTEN = [*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/*.md")), ROOT / "wireshark" / "README.md"]
CI = [ROOT / ".github" / "workflows" / "ci.yml", ROOT / ".gitlab-ci.yml"]
INDEX = ROOT / "docs" / "README.md"


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


def links(page: Path) -> list[str]:
    """The files that a page links to."""
    targets = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text("utf-8"))
    return [target for target in targets if not re.match(r"https?:", target)]


@pytest.mark.parametrize("page", [page for page in PAGES if page != INDEX], ids=shown)
def test_every_page_is_in_the_index(page: Path) -> None:
    indexes = (INDEX, INDEX.parent / "rules.md", INDEX.parent / "conformance" / "README.md")

    assert page in {(index.parent / target).resolve() for index in indexes for target in links(index)}


@pytest.mark.parametrize("page", HAND_WRITTEN, ids=shown)
def test_every_link_has_a_target(page: Path) -> None:
    assert [target for target in links(page) if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "docs/architecture.md"])
def test_every_file_that_it_names_exists(page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    named = set(re.findall(r"`((?:vudissect|tests|docs|captures|benchmarks|wireshark)/[\w./-]*)`", text))
    # The diagrams leave out the name of the package.
    inside = re.findall(r"(?<![\w/])(?!tests/|vudissect/)([a-z]+/[a-z_]+\.py)\b", text)

    assert {path for path in (*named, *(f"vudissect/{path}" for path in inside)) if not (ROOT / path).exists()} == set()


@pytest.mark.parametrize("target", TARGETS)
def test_every_target_of_make_is_in_its_help(target: str) -> None:
    help_text = subprocess.run(["make", "-s", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout

    assert re.search(rf"^make {target} ", help_text, re.MULTILINE)


@pytest.mark.parametrize("target", TARGETS)
def test_every_target_of_make_is_phony(target: str) -> None:
    (phony,) = re.findall(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)

    assert target in phony.split()


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_every_target_that_a_page_names_exists(page: str) -> None:
    named = re.findall(r"(?:^|`)make ([a-z][a-z-]*)", (ROOT / page).read_text("utf-8"), re.MULTILINE)

    assert set(named) <= set(TARGETS)


def test_the_version_is_in_the_changelog() -> None:
    assert re.search(rf"^## {re.escape(__version__)} - ", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)


@pytest.mark.parametrize("file", CI, ids=shown)
def test_every_supported_python_is_tested(file: Path) -> None:
    supported = re.findall(r"Python :: (3\.\d+)", " ".join(PROJECT["classifiers"]))

    assert re.findall(r'"(3\.\d+)"', file.read_text("utf-8")) == supported
    assert PROJECT["requires-python"] == f">={supported[0]}"


# Spark is half a gigabyte and needs Java: who wants it asks for it.
@pytest.mark.parametrize("extra", sorted(EXTRAS.keys() - {"all", "dev", "spark"}))
def test_all_has_every_extra(extra: str) -> None:
    (everything,) = EXTRAS["all"]

    assert extra in everything.removeprefix("vudissect[").removesuffix("]").split(",")


def test_make_installs_every_extra() -> None:
    assert "vudissect[all]" in EXTRAS["dev"]


@pytest.mark.parametrize("extra", sorted(EXTRAS.keys() - {"dev"}))
def test_the_readme_has_every_extra(extra: str) -> None:
    assert f"[{extra}]" in (ROOT / "README.md").read_text("utf-8")
