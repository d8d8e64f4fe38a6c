"""`vudissect check --self-test`: the suite against its own references."""

from collections.abc import Sequence

from vudissect.check.front_end.selftest import self_test_front_end
from vudissect.check.model import Case
from vudissect.check.program import ProgramError
from vudissect.check.runner import Options
from vudissect.check.selftest import Mutation, self_test
from vudissect.cli.errors import FINDINGS, fail
from vudissect.cli.output import say
from vudissect.protocol.model import Side


def test_suite(role: Side, cases: Sequence[Case], options: Options) -> None:
    """Exit 1 if the reference fails a case, or a case does not find its fault."""

    def show(mutation: Mutation) -> None:
        if not mutation.passes:
            why = "; ".join((mutation.right.why, *mutation.right.ours))
            say(f"{mutation.case.id}  the reference {role.label}: {mutation.right.verdict}: {why}")
        if not mutation.caught:
            say(f"{mutation.case.id}  its fault is not found: {mutation.mutant.verdict}: {mutation.mutant.why}")

    play = self_test_front_end if role is Side.FRONT_END else self_test
    try:
        mutations = play(cases, options, show)
    except ProgramError as error:
        fail(str(error))
    passed, caught = sum(each.passes for each in mutations), sum(each.caught for each in mutations)
    say(f"{len(mutations)} cases: the reference {role.label} passes {passed}, {caught} find their fault")
    if passed < len(mutations) or caught < len(mutations):
        raise SystemExit(FINDINGS)
