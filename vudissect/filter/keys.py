"""What a filter can test besides messages and fields: the names before an operator, and after `has:`."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from vudissect.filter.errors import unknown
from vudissect.filter.fields import rings
from vudissect.filter.values import Comparison, Predicate, compare, duration, number, word
from vudissect.lint.finding import Blame, Severity
from vudissect.protocol.model import Channel, Side
from vudissect.session.event import Kind


class Key(NamedTuple):
    """A name that can be compared: a description of its values, and how to compare them.

    `judges`: it needs findings, so the rules have to be checked.
    """

    values: str
    make: Callable[[Comparison], Predicate]
    judges: bool = False


class Thing(NamedTuple):
    """Something that an event can have."""

    meaning: str
    test: Predicate
    judges: bool = False


_SIDES = {
    "front-end": Side.FRONT_END,
    "back-end": Side.BACK_END,
    "proxy": Side.PROXY,
    "frontend": Side.FRONT_END,
    "backend": Side.BACK_END,
    "master": Side.FRONT_END,
    "slave": Side.BACK_END,
}
_CHANNELS = {channel.label: channel for channel in Channel} | {"slave": Channel.BACKEND}
# From harmless to severe.
_RANKS = {Severity.INFO: 0, Severity.COMPAT: 1, Severity.WARNING: 2, Severity.ERROR: 3}


def _rule(comparison: Comparison) -> Predicate:
    # The rules take longest to import.
    from vudissect.lint.rules import ALL_RULES, rules_named

    comparison.needs_equality()
    token = comparison.value
    wanted = {rule.id for rule in rules_named(token.text)}
    if not wanted:
        is_number = token.text.upper().startswith("VU-")
        known = [rule.id if is_number else rule.name for rule in ALL_RULES]
        raise unknown("rule", token, known)
    return compare(lambda _, findings: [finding.rule in wanted for finding in findings], comparison.operator, True)


KEYS: Mapping[str, Key] = {
    "ring": Key("the number of the ring that a message is for", number(lambda event, _: rings(event))),
    "from": Key(
        "`front-end`, `back-end`, or `proxy` for events; `master` and `slave` too",
        word(lambda event, _: (event.record.sender,), _SIDES),
    ),
    "channel": Key("`main`, `backend` or `gpu`", word(lambda event, _: (event.record.channel,), _CHANNELS)),
    "kind": Key(
        "`request`, `reply`, `ack`, `event` (recorded by the proxy) or `malformed`",
        word(lambda event, _: (event.kind,), {kind.value: kind for kind in Kind}),
    ),
    "connection": Key("the number of the connection, from 1", number(lambda event, _: (event.record.connection,))),
    "frame": Key("the number of the frame, from 1", number(lambda event, _: (event.record.frame,))),
    "elapsed": Key("the time since the first frame", duration(lambda event, _: (event.elapsed,))),
    "latency": Key(
        "how long this reply took",
        duration(lambda event, _: () if event.latency is None else (event.latency,)),
    ),
    "severity": Key(
        "`info`, `compat`, `warning` or `error`, in this order, of a finding about the message",
        word(
            lambda _, findings: [_RANKS[finding.severity] for finding in findings],
            {severity.value: rank for severity, rank in _RANKS.items()},
            ordered=True,
        ),
        judges=True,
    ),
    "rule": Key("id, name or family of the [rule](rules.md) of a finding", _rule, judges=True),
    "blame": Key(
        "who is to blame for a finding: `front-end`, `back-end`, `both` or `unknown`",
        word(lambda _, findings: [finding.blame for finding in findings], {blame.value: blame for blame in Blame}),
        judges=True,
    ),
}

THINGS: Mapping[str, Thing] = {
    "finding": Thing("a rule is broken here", lambda _, findings: bool(findings), judges=True),
    "fd": Thing("the message carries descriptors", lambda event, _: bool(event.descriptors)),
}
