"""Every format is listed, described and tested."""

import re
from importlib import import_module
from pathlib import Path

import pytest

from vudissect.render.format import COMMANDS, AnyFormat
from vudissect.render.formats import FORMATS

ROOT = Path(__file__).parents[3]
MODULES = sorted(path.stem for path in (ROOT / "vudissect/render/formats").glob("[!_]*.py"))


def title(form: AnyFormat) -> str:
    return f"{COMMANDS[form.renders]} {form.name}"


@pytest.mark.parametrize("module", MODULES)
def test_every_module_is_listed(module: str) -> None:
    assert set(import_module(f"vudissect.render.formats.{module}").FORMATS) <= set(FORMATS)


@pytest.mark.parametrize("module", MODULES)
def test_every_module_has_a_test(module: str) -> None:
    assert (Path(__file__).parent / f"test_{module}.py").is_file()


@pytest.mark.parametrize("form", FORMATS, ids=title)
def test_every_format_is_described(form: AnyFormat) -> None:
    page, _, section = form.section.partition("#")
    headings = re.findall(r"^#+ (.*)$", (ROOT / "docs" / page).read_text("utf-8"), re.MULTILINE)

    assert section in {heading.lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("form", FORMATS, ids=title)
def test_every_format_is_in_the_table_of_formats(form: AnyFormat) -> None:
    page = (ROOT / "docs" / "formats.md").read_text("utf-8")

    assert re.search(rf"^\| `{form.name}` .*\b{COMMANDS[form.renders]}\b", page, re.MULTILINE)


def test_no_command_has_two_formats_of_one_name() -> None:
    assert len({(form.renders, form.name) for form in FORMATS}) == len(FORMATS)
