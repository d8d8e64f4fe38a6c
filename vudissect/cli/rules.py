"""`vudissect rules`: print the rules of the linter."""

import click

from vudissect.analysis import Analysis
from vudissect.cli.command import Command
from vudissect.cli.completion import rules as rule_names
from vudissect.cli.errors import clear_errors
from vudissect.cli.known import known_rules
from vudissect.cli.output import say
from vudissect.conversation.text import read_conversation
from vudissect.lint.page import Example, page_of
from vudissect.lint.rule import Rule
from vudissect.lint.rules import ALL_RULES
from vudissect.protocol.dialects import dialect_by_name
from vudissect.render.rules import JudgedExample, RulePage, rule_list, rules_markdown


@click.command(
    "rules",
    cls=Command,
    examples=[
        ("The page of a rule", "vudissect rules VU-RPL-03"),
        ("The rules about rings", "vudissect rules VU-VRG"),
    ],
)
@click.argument("number", required=False, metavar="[RULE]", shell_complete=rule_names)
@click.option("--markdown", "as_markdown", is_flag=True, help="The index of the documentation.")
def command(number: str | None, as_markdown: bool) -> None:
    """Print all rules of the linter, those of a family (VU-VRG), or the page of one RULE, by its id or its name."""
    with clear_errors("rules"):
        if as_markdown:
            lines = rules_markdown(ALL_RULES)
        elif number is None:
            lines = rule_list(ALL_RULES)
        else:
            found = known_rules(number)
            lines = rule_page(found[0]).text() if len(found) == 1 else rule_list(found)
        for line in lines:
            say(line)


def rule_page(rule: Rule) -> RulePage:
    """The page of a rule, with its conversations decoded and checked."""
    page = page_of(rule.id)
    related = [other for other in ALL_RULES if other.id in page.related]
    return RulePage(rule, page, _judged(page.broken), _judged(page.near), related)


def _judged(example: Example) -> JudgedExample:
    records = read_conversation(example.conversation).records
    analysis = Analysis(records, dialect=dialect_by_name(example.dialect) if example.dialect else None)
    events, rest = list(analysis), analysis.finish()
    return JudgedExample(events, rest, analysis.session.unanswered())
