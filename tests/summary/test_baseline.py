"""Findings that are known, wherever they are found next time."""

import json

import pytest

from vudissect.lint.finding import Blame, Finding, Severity
from vudissect.summary.baseline import BaselineError, baseline_text, known_by, read_baseline
from vudissect.summary.peers import Pair

QEMU_AND_DISK = Pair("qemu-system-x86_64", "QEMU 7.2", "disk", "QEMU 5.1", "blk", "upstream")


def finding(message: str, *, frame: int = 1, rule: str = "VU-VRG-03", blame: Blame = Blame.FRONT_END) -> Finding:
    return Finding(rule, Severity.ERROR, blame, 1, frame, (), message, "QEMU")


def test_a_finding_is_known_at_another_place() -> None:
    before = known_by(finding("ring 3 is enabled with 7", frame=4), QEMU_AND_DISK)

    assert known_by(finding("ring 0 is enabled with 0x10", frame=90), QEMU_AND_DISK) == before


def test_it_is_known_of_a_later_release() -> None:
    later = QEMU_AND_DISK._replace(front_end_since="QEMU 10.0", dialect="qemu-10.0")

    assert known_by(finding("ring 3"), later) == known_by(finding("ring 3"), QEMU_AND_DISK)


@pytest.mark.parametrize(
    ("other", "pair"),
    [
        (finding("ring 3 is enabled with 7", rule="VU-VRG-04"), QEMU_AND_DISK),
        (finding("ring 3 is enabled with 7", blame=Blame.BACK_END), QEMU_AND_DISK),
        (finding("ring 3 has a size of 7"), QEMU_AND_DISK),
        (finding("ring 3 is enabled with 7"), QEMU_AND_DISK._replace(back_end="spdk")),
        (finding("ring 3 is enabled with 7"), QEMU_AND_DISK._replace(device="net")),
    ],
    ids=["rule", "blame", "text", "program", "device"],
)
def test_it_is_new_with_another(other: Finding, pair: Pair) -> None:
    assert known_by(other, pair) != known_by(finding("ring 3 is enabled with 7"), QEMU_AND_DISK)


def test_a_file_has_what_was_written_in_a_stable_order() -> None:
    known = {known_by(finding(text), QEMU_AND_DISK) for text in ("the first", "another", "\x1b[2J\ud800")}
    text = baseline_text(known)

    assert read_baseline(text) == known
    assert text.isascii()
    assert [json.loads(line)["text"] for line in text.splitlines()] == ["\x1b[2J\ud800", "another", "the first"]


@pytest.mark.parametrize("line", ["", "no JSON", "[]", '{"rule": "VU-VRG-03"}', "7"])
def test_another_file_is_refused_with_the_line(line: str) -> None:
    good = baseline_text([known_by(finding("ring 3"), QEMU_AND_DISK)])

    with pytest.raises(BaselineError, match="line 2 is not a known finding, as --write-baseline makes it"):
        read_baseline(f"{good}{line}\n")


def test_a_value_that_is_no_text_is_refused() -> None:
    good = json.loads(baseline_text([known_by(finding("ring 3"), QEMU_AND_DISK)]))

    with pytest.raises(BaselineError, match="line 1"):
        read_baseline(json.dumps(good | {"device": 2}))
