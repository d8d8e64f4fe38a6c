"""`vudissect rules`: what the linter knows, to read."""

from difflib import get_close_matches

import click

from vudissect.cli.errors import clear_errors, fail
from vudissect.cli.output import say
from vudissect.lint.rules import ALL_RULES
from vudissect.render.findings import rule_detail, rule_list, rules_markdown


@click.command("rules")
@click.argument("number", required=False, metavar="[ID]")
@click.option("--markdown", "as_markdown", is_flag=True, help="All rules as a page of documentation.")
def command(number: str | None, as_markdown: bool) -> None:
    """Print all rules of the linter, those of a family (VU-VRG), or all about the one with this ID."""
    with clear_errors("rules"):
        if as_markdown:
            lines = rules_markdown(ALL_RULES)
        elif number is None:
            lines = rule_list(ALL_RULES)
        else:
            wanted = number.upper()
            found = [rule for rule in ALL_RULES if rule.id == wanted or rule.id.startswith(wanted.rstrip("-") + "-")]
            if not found:
                near = get_close_matches(wanted, [rule.id for rule in ALL_RULES], n=3)
                hint = f"near it: {', '.join(near)}" if near else "vudissect rules lists them"
                fail(f"no rule {number!r}; {hint}")
            lines = rule_detail(found[0]) if len(found) == 1 else rule_list(found)
        for line in lines:
            say(line)
