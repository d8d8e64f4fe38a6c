"""One fault is one finding, with all its places."""

from vudissect.lint.finding import Blame, Finding, Severity
from vudissect.lint.groups import grouped, in_order


def finding(
    message: str,
    frame: int = 1,
    *,
    rule: str = "VU-VRG-01",
    severity: Severity = Severity.ERROR,
    blame: Blame = Blame.FRONT_END,
    connection: int = 1,
) -> Finding:
    return Finding(rule, severity, blame, connection, frame, (), message, "source")


def frames(*findings: Finding) -> list[list[int]]:
    return [[group.first.frame, *(each.frame for each in group.again)] for group in grouped(findings)]


def test_the_same_of_several_rings_is_one() -> None:
    assert frames(finding("ring 1 is used", 16), finding("ring 2 is used", 17), finding("ring 10 is used", 18)) == [
        [16, 17, 18]
    ]


def test_the_same_with_other_addresses_and_descriptors_is_one() -> None:
    assert frames(finding("mem#1 at 0x1000", 1), finding("mem#12 at 0x7f00abcd", 2)) == [[1, 2]]


def test_something_else_is_another() -> None:
    assert frames(finding("ring 1 is used", 1), finding("ring 1 is not used", 2)) == [[1], [2]]


def test_another_side_is_another() -> None:
    assert frames(finding("x", 1), finding("x", 2, blame=Blame.BACK_END)) == [[1], [2]]


def test_infos_of_a_rule_are_one_whatever_they_say() -> None:
    assert frames(finding("a", 1, severity=Severity.INFO), finding("b", 2, severity=Severity.INFO)) == [[1, 2]]


def test_connections_are_counted() -> None:
    (group,) = grouped([finding("x", 1, connection=1), finding("x", 2, connection=2), finding("x", 3, connection=2)])

    assert group.connections == 2


def test_worst_first_and_then_what_came_first() -> None:
    found = [
        finding("info", 1, severity=Severity.INFO),
        finding("compat", 2, severity=Severity.COMPAT),
        finding("warning", 3, severity=Severity.WARNING),
        finding("second error", 5),
        finding("first error", 4),
    ]

    assert [each.frame for each in in_order(found)] == [4, 5, 3, 2, 1]
