"""The conversations in this folder with their headers and findings. A header has this form:

# 6. Title
# peers: programs and versions
# expect: VU-VRG-21 front-end     a finding that must be among the first three
# never: VU-NEG-03                a rule that must not have findings
#
# description
"""

import re
from dataclasses import dataclass
from pathlib import Path

from vudissect.analysis import Analysis
from vudissect.conversation.text import read_conversation
from vudissect.lint.finding import Finding
from vudissect.lint.groups import in_order

FOLDER = Path(__file__).parent
FIRST = 3


@dataclass(frozen=True)
class Expected:
    rule: str
    blame: str

    def fits(self, finding: Finding) -> bool:
        return (finding.rule, finding.blame.value) == (self.rule, self.blame)


@dataclass(frozen=True)
class Scenario:
    path: Path

    @property
    def text(self) -> str:
        return self.path.read_text("utf-8")

    @property
    def number(self) -> int:
        return int(self.path.name.partition("-")[0])

    @property
    def title(self) -> str:
        number, _, title = self.text.splitlines()[0].removeprefix("# ").partition(". ")
        assert int(number) == self.number
        return title

    @property
    def peers(self) -> str:
        return self._header("peers")[0]

    @property
    def expected(self) -> list[Expected]:
        return [Expected(*line.split()) for line in self._header("expect")]

    @property
    def never(self) -> list[str]:
        return self._header("never")

    def findings(self) -> list[Finding]:
        """The findings of lint, in the order in which it prints them."""
        found = Analysis(read_conversation(self.text).records).lint().findings
        return in_order(found)

    def _header(self, key: str) -> list[str]:
        return re.findall(rf"^# {key}: (.*)$", self.text, re.MULTILINE)


SCENARIOS = [Scenario(path) for path in sorted(FOLDER.glob("*.vu"))]
