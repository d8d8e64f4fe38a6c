"""What `@pytest.mark.vudissect(...)` asks for, checked. No pytest here: a mark is its arguments."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vudissect.compare.policy import IGNORED, Override, Policy, PolicyError, override, overrides_of_file
from vudissect.protocol.model import Side

# Any longer and the kernel's clocks do not hold it.
_MOST_SECONDS = 1e9

_SIDES = {side.label: side for side in (Side.FRONT_END, Side.BACK_END)}


class MarkerError(ValueError):
    """A mark that cannot be followed; one line."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be replayed, and how.

    `name` is the capture as the mark has it, `side` the one that is played, `listens`: the replay does, and the program
    calls it. `timeout` is for each message, `deadline` for the whole replay (None: enough for a program that answers),
    `record_for` is how long a recording may take (s).
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
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= _MOST_SECONDS


def _is_frame(value: object) -> bool:
    return isinstance(value, int) and value >= 1


# What a mark can say besides the capture: how that is recognised, what it should be, and what holds if it is not said.
OPTIONS: Mapping[str, tuple[Callable[[object], bool], str, Any]] = {
    "role": (lambda value: isinstance(value, str) and value in _SIDES, " or ".join(map(repr, _SIDES)), None),
    "listen": (_is_flag, "True or False", None),
    "allow": (_is_names, 'a tuple of "MESSAGE.FIELD"', ()),
    "policy": (_is_text, "the path of a policy file", None),
    "timeout": (_is_seconds, "seconds", 10.0),
    "deadline": (_is_seconds, "seconds", None),
    "first": (_is_frame, "a frame", 1),
    "last": (_is_frame, "a frame", None),
    "keep_going": (_is_flag, "True or False", False),
    "incomplete": (_is_flag, "True or False", False),
    "record_for": (_is_seconds, "seconds", 30.0),
}


def wish(arguments: Sequence[Any], options: Mapping[str, Any], folder: Path) -> Wish:
    """What a mark with these arguments asks for; paths are relative to `folder`. `MarkerError`."""
    if len(arguments) != 1 or not isinstance(arguments[0], str | os.PathLike):
        raise MarkerError('say one capture: @pytest.mark.vudissect("boot.pcapng", role="front-end")')
    for name, value in options.items():
        if name not in OPTIONS:
            raise MarkerError(f"no option {name!r}; there are {', '.join(OPTIONS)}")
        fits, what, default = OPTIONS[name]
        if not fits(value) and (value is not default or name == "role"):
            raise MarkerError(f"{name}={value!r}: say {what}")
    if "role" not in options:
        raise MarkerError(f"say which side is played: role={OPTIONS['role'][1]}")
    said: dict[str, Any] = {name: options.get(name, default) for name, (_, _, default) in OPTIONS.items()}
    side = _SIDES[said.pop("role")]
    listen, allow, policy = said.pop("listen"), said.pop("allow"), said.pop("policy")
    return Wish(
        name=os.fspath(arguments[0]),
        capture=folder / arguments[0],
        side=side,
        listens=side is Side.BACK_END if listen is None else listen,
        policy=Policy([*_of_file(policy, folder), *_allowed(allow)]),
        **said,
    )


def _allowed(names: Sequence[str]) -> Sequence[Override]:
    try:
        return [override(name, IGNORED) for name in names]
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
