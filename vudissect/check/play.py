"""Plays the talk of a case line by line.

    F>B MESSAGE ...     is sent as `vudissect compose` would write it, and must work; an answer is waited for
    B>F MESSAGE ...     the answer to the message before it has these values; the fields that are named are compared
    * VERB ...          anything but a message; see `verbs`
    ? LINE              what the back-end does with this line is what the case is about: `Case.meanings` has the verdict

Without a `?` all lines must work.
"""

import re
from dataclasses import replace
from typing import NamedTuple

from vudissect.check.model import Behaviour, Case, Verdict
from vudissect.check.outcome import Played
from vudissect.check.room import Room
from vudissect.check.stage import Answered, DeviationError, Sent
from vudissect.check.verbs import act
from vudissect.wire.fields import to_fields

# How long to wait for an answer before something else is asked, in seconds.
_DUE, _NOT_DUE = 0.2, 0.02
_CONNECTION = re.compile(r"c(\d+) ")
_PLACEHOLDER = re.compile(r"\{(\w+)\}")
_FEW_BYTES = 16
_BYTES = re.compile(r"([0-9a-f]{2}){9,}")
_FIRST_WORDS = {"ring": "index", "base": "num"}


class _Line(NamedTuple):
    number: int
    text: str
    judged: bool


def lines_of(talk: str) -> list[_Line]:
    """The lines of a talk that are not empty, numbered from 1."""
    lines = []
    for number, raw in enumerate(talk.strip().splitlines(), 1):
        text = raw.strip()
        if text and not text.startswith("#"):
            lines.append(_Line(number, text.removeprefix("? "), text.startswith("? ")))
    return lines


def play(case: Case, room: Room) -> Played:
    """Play a case in a room that nobody has used; what the back-end did, up to the line that decided."""
    player = _Player(case, room)
    worst = Played(Verdict.PASS, Behaviour.WORKS)
    for line in lines_of(case.talk):
        try:
            if not line.judged:
                player.do(line)
                continue
            played = player.judge(line)
        except DeviationError as deviation:
            return _deviated(case, line, deviation, player.frame)
        if played.verdict.severity >= worst.verdict.severity:
            worst = played
        if played.verdict.is_failure() or played.behaviour.ends_connection:
            break
    return worst if worst.line else replace(worst, frame=player.frame)


def _deviated(case: Case, line: _Line, deviation: DeviationError, frame: int) -> Played:
    verdict = Verdict.WEDGED if deviation.behaviour is Behaviour.SILENT else Verdict.FAIL
    if line.judged:
        verdict = case.meaning(deviation.behaviour)
    return Played(verdict, deviation.behaviour, str(deviation), line.number, frame)


class _Player:
    def __init__(self, case: Case, room: Room) -> None:
        self._case = case
        self._room = room
        self._stage = room.stage
        self._last: tuple[Sent, Answered] | None = None
        self._unanswered: list[Sent] = []

    @property
    def frame(self) -> int:
        """The last record so far."""
        return len(self._stage.recorder.records)

    def do(self, line: _Line) -> None:
        """Do what a line says; it must work."""
        text = self._filled_in(line.text)
        if text.startswith("* "):
            act(self._room, text.removeprefix("* "))
        elif "B>F " in text:
            self._compare(text)
        else:
            self._say(text)

    def judge(self, line: _Line) -> Played:
        """Do what a line says; whatever comes of it is what the case is about."""
        text = self._filled_in(line.text)
        if text.startswith("* "):
            act(self._room, text.removeprefix("* "))
            return self._judged(line, Behaviour.WORKS, "", self.frame)
        sent = self._stage.say(text)
        frame = self.frame
        behaviour, what = self._observe(sent)
        return self._judged(line, behaviour, what, frame)

    def _judged(self, line: _Line, behaviour: Behaviour, text: str, frame: int) -> Played:
        return Played(self._case.meaning(behaviour), behaviour, text, line.number, frame)

    def _filled_in(self, text: str) -> str:
        values = self._room.values
        return _PLACEHOLDER.sub(lambda match: str(values[match[1]]) if match[1] in values else match[0], text)

    def _say(self, text: str) -> None:
        self._last = None
        sent = self._stage.say(text)
        if self._stage.held is not None:
            self._unanswered.append(sent)
        elif sent.owed:
            answered = self._stage.reply_to(sent)
            self._last = sent, answered
            if self._stage.behaviour(sent, answered) is Behaviour.REFUSED:
                raise DeviationError(Behaviour.REFUSED, f"{sent.name} is refused{_value(answered)}")

    def _compare(self, text: str) -> None:
        """The answer that was given, or will be, against the one that a line says."""
        if self._last is None and self._unanswered:
            sent = self._unanswered.pop(0)
            self._last = sent, self._stage.reply_to(sent)
        if self._last is None:
            raise DeviationError(Behaviour.SILENT, f"no answer: {text.partition('B>F ')[2]}")
        sent, answered = self._last
        self._last = None
        wanted = self._stage.expected(text)
        if wanted.id != answered.message.id:
            raise DeviationError(Behaviour.FAILED, f"{wanted.name} was to be answered, not {sent.name}")
        if not wanted.fits:
            return
        if answered.message.problem:
            raise DeviationError(Behaviour.FAILED, f"the answer to {sent.name}: {answered.message.problem}")
        fields, got = to_fields(wanted.layout, wanted.values), answered.fields
        for name in _named(text, fields):
            if got.get(name) != fields[name]:
                raise DeviationError(
                    Behaviour.FAILED, f"{sent.name} is answered with {name} {_other(got.get(name), fields[name])}"
                )

    def _observe(self, sent: Sent) -> tuple[Behaviour, str]:
        """What the back-end does with a message. Another question after it shows whether it was ignored."""
        stage, connection = self._stage, sent.connection
        try:
            answered = stage.answer(connection, stage.soon(_DUE if sent.owed else _NOT_DUE))
            if answered is None:
                # Messages are handled in order: what answers this has had its chance to answer the one before it.
                barrier = stage.barrier(sent.number, connection)
                answered = stage.answer(connection)
                if answered is None:
                    text = f"nothing within {stage.timeout:g} s, not even an answer to {barrier.name} after it"
                    return Behaviour.SILENT, f"{sent.name}: {text}"
                if answered.message.id == barrier.number:
                    return Behaviour.IGNORED, f"{sent.name} has no effect that can be seen"
                stage.reply_to(barrier)
        except DeviationError as deviation:
            return deviation.behaviour, f"{deviation} on {sent.name}"
        if not sent.row.known and answered.message.id != sent.number:
            raise DeviationError(Behaviour.FAILED, f"{sent.name} is answered with {answered.message.name}")
        stage.check_header(sent, answered)
        if sent.row.known and answered.message.problem:
            raise DeviationError(Behaviour.FAILED, f"the answer to {sent.name}: {answered.message.problem}")
        self._last = sent, answered
        behaviour = stage.behaviour(sent, answered)
        if behaviour is Behaviour.ACKNOWLEDGED and self._case.meaning(behaviour) is not Verdict.PASS:
            behaviour = self._whether_it_stays(sent)
        return behaviour, f"{sent.name} is {behaviour}{_value(answered)}"

    def _whether_it_stays(self, sent: Sent) -> Behaviour:
        """Who acknowledges with 0 whatever happened may close the connection next."""
        try:
            self._stage.reply_to(self._stage.barrier(connection=sent.connection))
        except DeviationError as deviation:
            if deviation.behaviour is Behaviour.CLOSED:
                return Behaviour.ACKNOWLEDGED_AND_CLOSED
            raise
        return Behaviour.ACKNOWLEDGED


def _value(answered: Answered) -> str:
    message = answered.message
    if message.problem:
        # Of an unknown message that is all there is to say.
        return f" ({message.problem})" if message.row.known else ""
    shown = {name: value for name, value in answered.fields.items() if isinstance(value, int)}
    words = [f"{name} {value:#x}" if value > 9 else f"{name} {value}" for name, value in shown.items()]
    return f" ({', '.join(words)})" if words and "result" not in shown else ""


def _other(got: object, wanted: object) -> str:
    """What is there, and what is not; of bytes only those from the first difference on."""
    if not (isinstance(got, str) and isinstance(wanted, str) and _BYTES.fullmatch(got) and _BYTES.fullmatch(wanted)):
        return f"{got}, not {wanted}"
    place = next((at for at in range(0, len(wanted), 2) if got[at : at + 2] != wanted[at : at + 2]), len(wanted))
    pieces = [bytes.fromhex(each[place : place + _FEW_BYTES]).hex(" ") or "nothing" for each in (got, wanted)]
    return f"that differ from byte {place // 2} on: {pieces[0]} ..., not {pieces[1]} ..."


def _named(text: str, fields: dict[str, object]) -> list[str]:
    """The fields that a line names."""
    words = {word.partition("=")[0].rstrip(":,") for word in text.split()}
    words |= {_FIRST_WORDS[word] for word in words if word in _FIRST_WORDS}
    if words & {"ok", "FAILED"}:
        words.add("result")
    return [name for name in fields if name in words]
