"""Findings of many captures, counted by rule and pair."""

from vudissect.lint.finding import Blame, Finding, Severity
from vudissect.summary.fleet import Fleet, Place
from vudissect.summary.peers import UNKNOWN_PAIR, Pair

DISK = Pair("qemu", "", "disk", "", "blk", "upstream")
NET = Pair("qemu", "", "switch", "", "net", "upstream")


def finding(rule: str, *, severity: Severity = Severity.ERROR, connection: int = 1, frame: int = 7) -> Finding:
    return Finding(rule, severity, Blame.BACK_END, connection, frame, (), f"{rule} is broken", "QEMU")


def test_a_capture_counts_once_for_a_rule() -> None:
    fleet = Fleet()
    fleet.add("a", 10, [finding("VU-VRG-03"), finding("VU-VRG-03", connection=2)], {1: DISK, 2: NET}, {})
    fleet.add("b", 20, [finding("VU-VRG-03")], {1: DISK}, {})
    counts = fleet.counts()

    (rule,) = counts.rules
    assert (counts.captures, counts.messages) == (2, 30)
    assert (rule.findings, rule.captures) == (3, 2)
    assert [(each.pair, each.findings, each.captures) for each in rule.pairs] == [(DISK, 2, 2), (NET, 1, 1)]


def test_the_first_place_is_an_example() -> None:
    fleet = Fleet()
    for file in ("a", "b"):
        fleet.add(file, 1, [finding("VU-VRG-03")], {1: DISK}, {})

    assert fleet.counts().rules[0].pairs[0].first == Place("a", 7, "VU-VRG-03 is broken")


def test_the_worst_is_first_and_then_what_most_captures_have() -> None:
    fleet = Fleet()
    warning = finding("VU-END-01", severity=Severity.WARNING)
    fleet.add("a", 1, [warning, finding("VU-VRG-03"), finding("VU-VRG-03")], {}, {})
    fleet.add("b", 1, [warning, finding("VU-VRG-04")], {}, {})
    fleet.add("c", 1, [warning, finding("VU-VRG-04")], {}, {})

    assert [rule.rule for rule in fleet.counts().rules] == ["VU-VRG-04", "VU-VRG-03", "VU-END-01"]


def test_a_finding_about_no_connection_has_an_unknown_pair() -> None:
    fleet = Fleet()
    fleet.add("a", 1, [finding("VU-VRG-03", connection=0)], {1: DISK}, {})

    assert fleet.counts().rules[0].pairs[0].pair == UNKNOWN_PAIR


def test_repetitions_known_findings_and_damaged_captures_are_counted() -> None:
    fleet = Fleet()
    fleet.add("a", 1, [finding("VU-VRG-03")], {1: DISK}, {"VU-VRG-03": 40}, known=3, complete=False)
    fleet.add_incomplete()
    counts = fleet.counts()

    assert (counts.captures, counts.incomplete, counts.known) == (2, 2, 3)
    assert counts.rules[0].repetitions == 40
