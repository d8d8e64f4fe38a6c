"""VU-VRG: rings."""

from vudissect.lint.finding import Severity
from vudissect.lint.rule import SPEC, At, Findings, RuleBook, requests
from vudissect.spec.effect import Effect

RULES = RuleBook()


@RULES.rule(
    "VU-VRG-03",
    Severity.ERROR,
    "a ring is enabled with 1 and disabled with 0",
    f"{SPEC}, SET_VRING_ENABLE; rust-vmm refuses other values",
    requests(Effect.ENABLE_RING),
)
def enable_value(at: At) -> Findings:
    if at.fields.get("num", 0) > 1:
        yield at.finding(f"ring {at.fields['index']} is enabled with {at.fields['num']}; only 0 and 1 are defined")
