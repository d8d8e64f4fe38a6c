"""What a filter can test besides messages and fields: the names before an operator, and after `has:`."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from vudissect.filter.errors import unknown
from vudissect.filter.fields import rings
from vudissect.filter.seen import Asked
from vudissect.filter.values import Comparison, Findings, Predicate, Values, compare, duration, number, word
from vudissect.lint.finding import Blame, Severity
from vudissect.protocol.model import Channel, Side
from vudissect.session.event import Event, Kind


def _itself(value: Any) -> Any:
    return value


class Key(NamedTuple):
    """A name that can be compared: a description of its values, the values of an event, and how to compare them.

    `title` is what several values are called, and `text` how one is written. `judges`: it needs findings, so the rules
    have to be checked.
    """

    meaning: str
    title: str
    values: Values
    comparing: Callable[[Values], Callable[[Comparison], Predicate]]
    text: Callable[[Any], Any] = _itself
    judges: bool = False

    def asked(self, comparison: Comparison) -> Asked:
        """A comparison of it; `FilterError` if that makes no sense."""
        values, text = self.values, self.text

        def texts(event: Event, findings: Findings) -> Iterable[Any]:
            return map(text, values(event, findings))

        return Asked(self.title, self.comparing(values)(comparison), texts, self.comparing is duration)


class Thing(NamedTuple):
    """Something that an event can have."""

    meaning: str
    test: Predicate
    judges: bool = False


SIDES = {
    "front-end": Side.FRONT_END,
    "back-end": Side.BACK_END,
    "proxy": Side.PROXY,
    "frontend": Side.FRONT_END,
    "backend": Side.BACK_END,
    "master": Side.FRONT_END,
    "slave": Side.BACK_END,
}
CHANNELS = {channel.label: channel for channel in Channel} | {"slave": Channel.BACKEND}
BLAMES = {blame.value: blame for blame in Blame}
# From harmless to severe.
_RANKS = {Severity.INFO: 0, Severity.COMPAT: 1, Severity.WARNING: 2, Severity.ERROR: 3}
SEVERITIES = {severity.value: rank for severity, rank in _RANKS.items()}


def _rule(values: Values) -> Callable[[Comparison], Predicate]:
    """Comparisons with a rule, or with any rule of a family."""

    def make(comparison: Comparison) -> Predicate:
        # The rules take longest to import.
        from vudissect.lint.rules import ALL_RULES, rules_named

        comparison.needs_equality()
        token = comparison.value
        wanted = {rule.id for rule in rules_named(token.text)}
        if not wanted:
            is_number = token.text.upper().startswith("VU-")
            known = [rule.id if is_number else rule.name for rule in ALL_RULES]
            raise unknown("rule", token, known)
        return compare(
            lambda event, findings: [rule in wanted for rule in values(event, findings)], comparison.operator, True
        )

    return make


def _word(words: Mapping[str, Any], *, ordered: bool = False) -> Callable[[Values], Callable[[Comparison], Predicate]]:
    return lambda values: word(values, words, ordered=ordered)


KEYS: Mapping[str, Key] = {
    "ring": Key("the number of the ring that a message is for", "rings", lambda event, _: rings(event), number),
    "from": Key(
        "`front-end`, `back-end`, or `proxy` for events; `master` and `slave` too",
        "senders",
        lambda event, _: (event.record.sender,),
        _word(SIDES),
        lambda side: side.label,
    ),
    "channel": Key(
        "`main`, `backend` or `gpu`",
        "channels",
        lambda event, _: (event.record.channel,),
        _word(CHANNELS),
        lambda channel: channel.label,
    ),
    "kind": Key(
        "`request`, `reply`, `ack`, `event` (recorded by the proxy) or `malformed`",
        "kinds",
        lambda event, _: (event.kind,),
        _word({kind.value: kind for kind in Kind}),
        lambda kind: kind.value,
    ),
    "connection": Key(
        "the number of the connection, from 1",
        "connections",
        lambda event, _: (event.record.connection,),
        number,
    ),
    "frame": Key("the number of the frame, from 1", "frames", lambda event, _: (event.record.frame,), number),
    "elapsed": Key("the time since the first frame", "times", lambda event, _: (event.elapsed,), duration),
    "latency": Key(
        "how long this reply took",
        "latencies",
        lambda event, _: () if event.latency is None else (event.latency,),
        duration,
    ),
    "severity": Key(
        "`info`, `compat`, `warning` or `error`, in this order, of a finding about the message",
        "severities",
        lambda _, findings: [_RANKS[finding.severity] for finding in findings],
        _word(SEVERITIES, ordered=True),
        lambda rank: list(SEVERITIES)[rank],
        judges=True,
    ),
    "rule": Key(
        "id, name or family of the [rule](rules.md) of a finding",
        "broken rules",
        lambda _, findings: [finding.rule for finding in findings],
        _rule,
        judges=True,
    ),
    "blame": Key(
        "who is to blame for a finding: `front-end`, `back-end`, `both`, `unknown`, or a `fault` that was injected",
        "blamed",
        lambda _, findings: [finding.blame for finding in findings],
        _word(BLAMES),
        lambda blame: blame.value,
        judges=True,
    ),
}

THINGS: Mapping[str, Thing] = {
    "finding": Thing("a rule is broken here", lambda _, findings: bool(findings), judges=True),
    "fd": Thing("the message carries descriptors", lambda event, _: bool(event.descriptors)),
}
