"""`--filter`, the options that are shorthand for a filter, and `vudissect filters`, which prints its page.

The language is imported only if there is a filter: most calls have none.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from vudissect.cli.command import Command
from vudissect.cli.errors import fail, warn
from vudissect.cli.output import say
from vudissect.render.units import duration_text

if TYPE_CHECKING:
    from vudissect.analysis import Judged
    from vudissect.filter import Filter, Narrowed, Seen

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

_HELP = "help"
# How many values a capture has are listed.
_MOST_LISTED = 12


@click.command(
    "filters",
    cls=Command,
    examples=[
        ("The page of the language", "vudissect filters"),
        ("A filter in use", "vudissect show --filter 'SET_VRING_* and ring=1' boot.pcapng"),
    ],
)
def command() -> None:
    """Explain the language of --filter, with examples."""
    _print_page()


def filter_option(purpose: str) -> Callable[[Decorated], Decorated]:
    """The option for a filter; None if it is not given. `--filter help` prints the page and exits."""
    return click.option(
        "-Y",
        "--filter",
        "wanted",
        metavar="FILTER",
        callback=_compiled,
        is_eager=True,
        help=f"{purpose} (vudissect filters).",
    )


def _compiled(context: click.Context, _parameter: click.Parameter, text: str | None) -> "Filter | None":
    # A shell that completes a later word must not see an error about this one.
    if text is None or context.resilient_parsing:
        return None
    if text == _HELP:
        _print_page()
        raise SystemExit(0)
    from vudissect.filter import FilterError, compile_filter

    try:
        return compile_filter(text)
    except FilterError as error:
        fail(f"--filter: {error} (--filter help explains the language)")


def narrowed_to(
    wanted: "Filter | None",
    names: Sequence[str],
    channels: Sequence[str],
    sender: str | None,
    rings: Sequence[int],
) -> "Filter | None":
    """The filter together with those of -m, --channel, --from and --ring; None without any."""
    if not (names or channels or sender or rings):
        return wanted
    from vudissect.filter import all_of, any_of, compile_filter

    alternatives = [
        [_message_filter(name) for name in names],
        [compile_filter(f"channel={channel}") for channel in channels],
        [compile_filter(f"from={sender}")] if sender is not None else [],
        [compile_filter(f"ring={ring}") for ring in rings],
        [wanted] if wanted is not None else [],
    ]
    return all_of([any_of(filters) for filters in alternatives if filters])


def narrowed(wanted: "Filter", judged: "Iterable[Judged]") -> "Narrowed":
    """The events that a filter shows."""
    from vudissect.filter import Narrowed

    return Narrowed(wanted, judged)


def _message_filter(name: str) -> "Filter":
    from vudissect.filter import FilterError, message_filter

    try:
        return message_filter(name)
    except FilterError as error:
        fail(f"-m: {error.reason}")


def report_no_match(shown: "Narrowed") -> None:
    """One line on standard error if a filter matched nothing in a capture."""
    if not shown.matched:
        warn(no_match(shown.wanted, shown.found))


def no_match(wanted: "Filter", found: "Sequence[Seen]") -> str:
    """That nothing matches, and what was found instead of what was asked for."""
    from vudissect.filter import never_held

    instead = {f"{seen.asked.title} seen: {_values_text(seen)}" for seen in never_held(found)}
    return "; ".join((f"no message matches {wanted.text}", *sorted(instead)))


def _values_text(seen: "Seen") -> str:
    """The values, or their range if they are many."""
    values = sorted(seen.values)
    if not values:
        return "none"
    shown = [duration_text(value) if seen.asked.are_durations else str(value) for value in values]
    if seen.asked.are_durations or (len(values) > _MOST_LISTED and isinstance(values[0], int)):
        return shown[0] if len(shown) == 1 else f"{shown[0]} to {shown[-1]}"
    more = f" and {len(shown) - _MOST_LISTED} more" if len(shown) > _MOST_LISTED else ""
    return ", ".join(shown[:_MOST_LISTED]) + more


def _print_page() -> None:
    from vudissect.filter.page import filters_page

    for line in filters_page():
        say(line)
