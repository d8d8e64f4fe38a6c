"""Scripts: a function is asked about each message, and its failures stop nothing."""

import re
from pathlib import Path

import pytest

from tests.conversation import Conversation
from vudissect.faults.engine import Engine
from vudissect.faults.kit import answers
from vudissect.faults.script import Message, Script, ScriptError, load_script
from vudissect.filter import compile_filter
from vudissect.protocol.model import Channel
from vudissect.proxy.faulting import Deliver, Inject, Offer, Report, Step, Withhold

NUM = "F>B SET_VRING_NUM ring 0 num 512"


def cap(message: Message) -> str | None:
    return "set num=256" if message.name == "SET_VRING_NUM" and message.fields["num"] > 256 else None


def decided(engine: Engine, name: str = "SET_VRING_NUM", **fields: int) -> list[Step]:
    said = Conversation()
    said.front_end(name, **fields)
    record = said.records[0]
    return list(engine.decide(Offer(1, record.channel, record.sender, record.data, 0, record.received, "little", ())))


def test_its_answer_is_an_action() -> None:
    engine = Engine([], Script("caps.py", cap))

    report, withhold, injection = decided(engine, index=0, num=512)

    assert isinstance(report, Report)
    assert (report.details["text"], report.details["action"]) == ("caps.py : set num=256", "set")
    assert withhold == Withhold()
    assert isinstance(injection, Inject)
    assert injection.data[-4:] == (256).to_bytes(4, "little")
    assert decided(engine, index=0, num=64) == []


def test_it_may_answer_with_several() -> None:
    assert decided(Engine([], Script("s", lambda _: ["delay 1s", "delay 2s"])), index=0, num=1)[1:] == [Deliver(3.0)]


def test_it_is_asked_about_the_messages_that_it_wants() -> None:
    engine = Engine([], Script("s", lambda _: "drop", compile_filter("SET_VRING_NUM")))

    assert engine.numbers(Channel.MAIN) is not None
    assert decided(engine, "SET_OWNER") == []
    assert decided(engine, index=0, num=1)[1:] == [Withhold()]


def without_lines(text: object) -> str:
    """Without the line of this file in which a script fails."""
    return re.sub(r"line \d+", "line N", str(text))


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (lambda _: 1 / 0, "s fails in line N: ZeroDivisionError: division by zero"),
        (lambda _: "dorp", "s answers 'dorp': column 1: unknown action dorp; did you mean drop?"),
        (lambda _: 5, "s fails: TypeError: can only join an iterable"),
    ],
)
def test_a_failure_is_reported_once_recorded_each_time_and_stops_nothing(script: object, reason: str) -> None:
    said: list[str] = []
    engine = Engine([], Script("s", script), said.append)  # type: ignore[arg-type]

    for _ in range(2):
        report, deliver = decided(engine, index=0, num=1)
        assert isinstance(report, Report)
        assert (report.details["outcome"], without_lines(report.details["reason"])) == ("not injected", reason)
        assert deliver == Deliver()
    assert list(map(without_lines, said)) == [f"{reason}: the traffic continues"]


def test_the_kit_plays_a_conversation() -> None:
    assert answers(Script("caps.py", cap), f"{NUM}\nF>B SET_OWNER") == ["set num=256", ""]


def test_a_message_has_what_a_script_needs() -> None:
    seen: list[Message] = []
    answers(Script("s", lambda message: seen.append(message)), f"{NUM}\nF>B SET_VRING_KICK ring 0 evt#1")

    kick = seen[1]
    assert (kick.sender, kick.channel, kick.kind, kick.name) == ("front-end", "main", "request", "SET_VRING_KICK")
    assert (kick.descriptors, kick.state.rings[0].size) == (("evt#1",), 512)


def test_a_script_is_a_file(tmp_path: Path) -> None:
    path = tmp_path / "caps.py"
    path.write_text("MESSAGES = 'SET_OWNER'\ndef on_message(message):\n    return 'drop'\n")

    assert answers(load_script(str(path)), f"{NUM}\nF>B SET_OWNER") == ["", "drop"]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("def on_message(message)\n", "line 1, column 24: expected ':'"),
        ("x = 1\n1 / 0\n", "cannot be loaded in line 2: ZeroDivisionError: division by zero"),
        ("raise SystemExit\n", "cannot be loaded: it exits"),
        ("x = '\0'\n", "source code (string )?cannot contain null bytes"),
        ("def on_message(): pass\n", "on_message has to have one parameter, the message"),
        ("MESSAGES = 5\ndef on_message(m): pass\n", "MESSAGES has to be the text of a filter"),
        ("x = 1\n", r"it has no function on_message\(message\): define one"),
        ("MESSAGES = 'SET_OWNR'\ndef on_message(m): pass\n", "MESSAGES: column 1: unknown message SET_OWNR"),
    ],
)
def test_one_that_cannot_be_used_is_an_error(tmp_path: Path, text: str, error: str) -> None:
    path = tmp_path / "bad.py"
    path.write_text(text)

    with pytest.raises(ScriptError, match=f"^{error}"):
        load_script(str(path))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ScriptError, match=r"^cannot be read: No such file or directory$"):
        load_script(str(tmp_path / "none.py"))
