"""Checks the arguments of `@pytest.mark.vudissect(...)`. Does not import pytest."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vudissect.compare.policy import Override, Policy, PolicyError, allow, overrides_of_file
from vudissect.protocol.model import Side

# Longer timeouts overflow in the kernel.
_MAX_SECONDS = 1e9

_SIDES = {side.label: side for side in (Side.FRONT_END, Side.BACK_END)}


class MarkerError(ValueError):
    """Invalid arguments of the marker; the text is one line."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What to replay, and how.

    `name` is the capture as the marker has it, `side` the side to play. If `listens`, the replay listens and the
    program connects. `timeout` is for each message, `deadline` for the whole replay (None: enough for any program
    that answers), `record_for` the longest time for a recording (all in seconds).
    """

    name: str
    capture: Path
    side: Side
    listens: bool
    policy: Policy
    timeout: float
    deadline: float | None
    first: int
    last: int | None
    keep_going: bool
    incomplete: bool
    record_for: float


def _is_text(value: object) -> bool:
    return isinstance(value, str | os.PathLike)


def _is_names(value: object) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(name, str) for name in value)


def _is_flag(value: object) -> bool:
    return isinstance(value, bool)


def _is_seconds(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= _MAX_SECONDS


def _is_frame(value: object) -> bool:
    return isinstance(value, int) and value >= 1


# The options besides the capture: check, description of valid values, default.
OPTIONS: Mapping[str, tuple[Callable[[object], bool], str, Any]] = {
    "role": (lambda value: isinstance(value, str) and value in _SIDES, " or ".join(map(repr, _SIDES)), None),
    "listen": (_is_flag, "True or False", None),
    "allow": (_is_names, 'a tuple of "MESSAGE.FIELD" and "MESSAGE"', ()),
    "policy": (_is_text, "the path of a policy file", None),
    "timeout": (_is_seconds, "seconds", 10.0),
    "deadline": (_is_seconds, "seconds", None),
    "first": (_is_frame, "a frame", 1),
    "last": (_is_frame, "a frame", None),
    "keep_going": (_is_flag, "True or False", False),
    "incomplete": (_is_flag, "True or False", False),
    "record_for": (_is_seconds, "seconds", 30.0),
}


def settings(arguments: Sequence[Any], options: Mapping[str, Any], folder: Path) -> Settings:
    """The settings that a marker with these arguments means; paths are relative to `folder`. `MarkerError`."""
    if len(arguments) != 1 or not isinstance(arguments[0], str | os.PathLike):
        raise MarkerError('name one capture: @pytest.mark.vudissect("boot.pcapng", role="front-end")')
    for name, value in options.items():
        if name not in OPTIONS:
            raise MarkerError(f"unknown option {name!r}; use {', '.join(OPTIONS)}")
        fits, what, default = OPTIONS[name]
        if not fits(value) and (value is not default or name == "role"):
            raise MarkerError(f"{name}={value!r}: use {what}")
    if "role" not in options:
        raise MarkerError(f"name the side to play: role={OPTIONS['role'][1]}")
    values: dict[str, Any] = {name: options.get(name, default) for name, (_, _, default) in OPTIONS.items()}
    side = _SIDES[values.pop("role")]
    listen, allowed, policy = values.pop("listen"), values.pop("allow"), values.pop("policy")
    return Settings(
        name=os.fspath(arguments[0]),
        capture=folder / arguments[0],
        side=side,
        listens=side is Side.BACK_END if listen is None else listen,
        policy=Policy([*_of_file(policy, folder), *_allowed(allowed)]),
        **values,
    )


def _allowed(names: Sequence[str]) -> Sequence[Override]:
    try:
        return [allow(name) for name in names]
    except PolicyError as error:
        raise MarkerError(f"allow: {error}") from None


def _of_file(path: str | os.PathLike[str] | None, folder: Path) -> Sequence[Override]:
    if path is None:
        return ()
    try:
        return overrides_of_file((folder / path).read_text(errors="replace"), os.fspath(path))
    except OSError as error:
        raise MarkerError(f"{path}: {error.strerror}") from None
    except PolicyError as error:
        raise MarkerError(str(error)) from None
