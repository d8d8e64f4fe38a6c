"""Every output format of every command, on a capture whose names are hostile; and options that a format ignores."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.cli.program import run
from tests.cli.test_captures import ODD
from tests.cli.test_replay import OTHER, back_end, save
from tests.conversation import Conversation, memfd
from tests.replay.talks import records_of
from vudissect.capture.record import RecordKind
from vudissect.render.format import COMMANDS, AnyFormat, Differing, Option, Replayed, Syntax
from vudissect.render.formats import FORMATS

HEALTHY = Path(__file__).parents[2] / "captures" / "qemu-7.2-blk-qsd.pcapng"
CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def hostile() -> Conversation:
    """Programs, descriptors and notes whose names could drive a terminal or end an attribute, and broken rules."""
    talk = Conversation()
    talk.open(f"qemu{ODD}", f"disk{ODD}")
    talk.event(RecordKind.NOTE, text=f"]]>{ODD}")
    talk.front_end("GET_FEATURES")
    region = {"guest_addr": 0, "size": 1 << 20, "user_addr": 0x7F00_0000_0000}
    talk.front_end("SET_MEM_TABLE", regions=[region], descriptors=(memfd(size=1 << 20, name=ODD),))
    talk.front_end("SET_VRING_ENABLE", index=3, num=7)
    return talk


def is_text(output: str) -> None:
    assert not CONTROL.search(output)
    assert output.endswith("\n")


def is_json_lines(output: str) -> None:
    is_text(output)
    assert {type(json.loads(line)) for line in output.splitlines()} == {dict}


def is_xml(output: str) -> None:
    is_text(output)
    assert len(ElementTree.fromstring(output))


CHECKS = {Syntax.TEXT: is_text, Syntax.JSON_LINES: is_json_lines, Syntax.XML: is_xml}


def title(form: AnyFormat) -> str:
    return f"{COMMANDS[form.renders]} {form.name}"


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Path]:
    """The socket of a back-end that answers something else."""
    with back_end(tmp_path / "b.sock", OTHER):
        yield tmp_path / "b.sock"


def output_of(form: AnyFormat, folder: Path, request: pytest.FixtureRequest) -> str:
    path = folder / f"{ODD}.pcapng"
    options: tuple[str, ...] = ()
    if form.renders is Replayed:
        save(path, records_of(*OTHER[:1], OTHER[1].replace("RING_RESET", "INDIRECT_DESC"), *OTHER[2:]))
        options = ("--as", "front-end", "--connect", str(request.getfixturevalue("live")))
    else:
        path.write_bytes(hostile().capture())
    if form.renders is Differing:
        options = (str(HEALTHY),)
    result = run(*COMMANDS[form.renders].split(), "--format", form.name, str(path), *options)
    return result.stdout.decode()


@pytest.mark.parametrize("form", FORMATS, ids=title)
def test_the_output_is_well_formed(form: AnyFormat, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    CHECKS[form.syntax](output_of(form, tmp_path, request))


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    path = tmp_path / "talk.pcapng"
    path.write_bytes(hostile().capture())
    return path


@pytest.mark.parametrize("command", ["show", "lint"])
def test_json_is_short_for_a_format(capture: Path, command: str) -> None:
    assert run(command, "--json", str(capture)).stdout == run(command, "--format", "json", str(capture)).stdout


def test_graph_is_short_for_a_format(capture: Path) -> None:
    assert run("show", "--graph", str(capture)).stdout == run("show", "--format", "graph", str(capture)).stdout


@pytest.mark.parametrize("other", ["--json", "--format=svg", "-v"])
def test_a_graph_is_nothing_else(capture: Path, other: str) -> None:
    result = run("show", "--graph", other, str(capture))

    assert result.returncode == 2
    assert result.stderr.count(b"\n") == 1


def test_a_junit_report_can_be_written_besides(capture: Path, tmp_path: Path) -> None:
    report = tmp_path / "junit.xml"
    run("lint", str(capture), "--junit", str(report))

    assert report.read_bytes() == run("lint", "--format", "junit", str(capture)).stdout


def refusal(*arguments: str) -> str:
    """The one line of a command that cannot do what it was asked."""
    result = run(*arguments)
    assert (result.returncode, result.stdout, result.stderr.count(b"\n")) == (2, b"", 1)
    return result.stderr.decode().removeprefix("vudissect: ").removesuffix("\n")


REFUSED = [
    (form, option)
    for form in FORMATS
    for option in Option
    if option not in form.honours and any(option in other.honours for other in FORMATS if other.renders is form.renders)
]


@pytest.mark.parametrize(("form", "option"), REFUSED, ids=lambda each: each if isinstance(each, str) else title(each))
def test_an_option_that_a_format_ignores_is_refused(capture: Path, form: AnyFormat, option: Option) -> None:
    files = [str(capture)] * (2 if form.renders is Differing else 1)
    said = refusal(*COMMANDS[form.renders].split(), "--format", form.name, option, *files)

    assert said.startswith(f"{option} has no effect with --format {form.name}: omit it, or use --format text")


def test_the_short_spelling_refuses_it_too(capture: Path) -> None:
    assert refusal("show", "--json", "-v", str(capture)).startswith("-v has no effect with --format json: ")


@pytest.mark.parametrize("command", ["show", "lint"])
def test_two_formats_are_refused(capture: Path, command: str) -> None:
    said = refusal(command, "--json", "--format", "text", str(capture))

    assert said == "--json and --format text are two formats: use one of them"


def test_an_unknown_format_is_refused_with_those_there_are(capture: Path) -> None:
    said = refusal("show", "--format", "runes", str(capture))

    assert said.startswith("Invalid value for '--format': 'runes' is not one of text, ")
