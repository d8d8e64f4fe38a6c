"""Scripts: a function in Python is asked about each message, and answers with actions of the language.

    def on_message(message):
        if message.name == "SET_VRING_NUM" and message.fields["num"] > 256:
            return "set num=256"

    MESSAGES = "SET_VRING_NUM"  # a filter, optional: what the function is asked about

A script that fails never stops the traffic: the message is passed on, and the capture has the reason.
"""

import runpy
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from inspect import signature
from pathlib import Path
from traceback import extract_tb
from typing import Any

from vudissect.faults.errors import FaultError, ImpossibleError
from vudissect.faults.language import Fault, read_actions
from vudissect.filter import Filter, FilterError, compile_filter
from vudissect.session.event import MessageEvent
from vudissect.session.state import State

# Frames of this program and of runpy, which loads scripts.
_OURS = (str(Path(__file__).parents[1]), runpy.__file__, "<frozen")
_FUNCTION, _FILTER = "on_message", "MESSAGES"
_ALL = compile_filter("kind!=event")


class ScriptError(ValueError):
    """A script that cannot be used; the text has the place and the remedy."""


@dataclass(frozen=True, slots=True)
class Message:
    """A message that was received and not passed on yet.

    `sender` is `front-end` or `back-end`, `channel` `main`, `backend` or `gpu`, `kind` `request`, `reply`, `ack` or
    `malformed`. `fields` is the payload by field name, as in JSON; `descriptors` are the names of the descriptors.
    `state` is the state of the connection before it.
    """

    connection: int
    channel: str
    sender: str
    kind: str
    name: str
    fields: Mapping[str, Any]
    descriptors: tuple[str, ...]
    state: State


Answer = str | Iterable[str] | None
"""Actions, as in the language of faults; nothing for a message that is passed on as it is."""


@dataclass(frozen=True, slots=True)
class Script:
    """A function to be asked about the messages that match `wanted`; `number` is that of its faults."""

    name: str
    on_message: Callable[[Message], Answer]
    wanted: Filter = _ALL
    number: int = 1

    def fault(self, event: MessageEvent) -> Fault | None:
        """What it answers to a message; `ImpossibleError` if it fails."""
        if not self.wanted(event):
            return None
        try:
            text = self.ask(event)
            read = read_actions(text) if text else []
        except FaultError as error:
            raise ImpossibleError(f"{self.name} answers {text!r}: {error}") from None
        except Exception as error:
            raise ImpossibleError(f"{self.name} fails{_line_of(error)}: {type(error).__name__}: {error}") from None
        kinds, actions = tuple(kind for kind, _ in read), tuple(action for _, action in read)
        return Fault(self.number, f"{self.name} : {text}", self.wanted, kinds, actions) if read else None

    def ask(self, event: MessageEvent) -> str:
        """Its answer as one text; "" for none."""
        answer = self.on_message(message_of(event))
        return answer if isinstance(answer, str) else ", ".join(answer or ())


def message_of(event: MessageEvent) -> Message:
    """A message as a script gets it."""
    record = event.record
    names = tuple(named.name for named in event.descriptors)
    ends = record.connection, record.channel.label, record.sender.label
    return Message(*ends, event.kind.value, event.name, event.fields, names, event.before)


def load_script(path: str, number: int = 1) -> Script:
    """The script in a file; `ScriptError`."""
    try:
        names = runpy.run_path(path)
    except SyntaxError as error:
        place = f"line {error.lineno}, column {error.offset}: " if error.lineno else ""
        raise ScriptError(f"{place}{error.msg}") from None
    except OSError as error:
        raise ScriptError(f"cannot be read: {error.strerror}") from None
    except SystemExit:
        raise ScriptError("cannot be loaded: it exits; define a function instead") from None
    except Exception as error:
        raise ScriptError(f"cannot be loaded{_line_of(error)}: {type(error).__name__}: {error}") from None
    function, text = names.get(_FUNCTION), names.get(_FILTER, _ALL.text)
    if not callable(function):
        raise ScriptError(f"it has no function {_FUNCTION}(message): define one")
    try:
        signature(function).bind(None)
    except TypeError:
        raise ScriptError(f"{_FUNCTION} has to have one parameter, the message") from None
    if not isinstance(text, str):
        raise ScriptError(f"{_FILTER} has to be the text of a filter, as in {_FILTER} = 'SET_VRING_*'")
    try:
        wanted = compile_filter(text)
    except FilterError as error:
        raise ScriptError(f"{_FILTER}: {error}") from None
    return Script(path.rpartition("/")[2], function, wanted, number)


def _line_of(error: Exception) -> str:
    """Where a script fails: its last line in the traceback."""
    lines = [frame.lineno for frame in extract_tb(error.__traceback__) if not frame.filename.startswith(_OURS)]
    return f" in line {lines[-1]}" if lines else ""
