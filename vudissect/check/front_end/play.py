"""Plays the talk of a case for front-ends.

    F>B NAME or NAME    everything is answered as it should be up to this message, which is held
    B>F MESSAGE ...     is sent in place of its answer, in the words of `vudissect compose`
    B>F backend: ...    is sent on the channel of the back-end
    * VERB ...          anything else; see `verbs`
    ? LINE              what the front-end does after this line is what the case is about: `Case.meanings`

After the last line everything is answered as it should be again, until the front-end has come as far as it comes
without a flaw, sends nothing more, or gives up.
"""

from vudissect.check.front_end.scene import Scene
from vudissect.check.front_end.verbs import BOOK
from vudissect.check.front_end.watch import observe
from vudissect.check.link import LinkError
from vudissect.check.model import Behaviour, Case, Verdict
from vudissect.check.outcome import Played
from vudissect.check.play import lines_of
from vudissect.check.reference.intake import HangUpError
from vudissect.check.stage import DeviationError
from vudissect.conversation.conversation import ConversationError
from vudissect.protocol.model import Channel, Side
from vudissect.protocol.table import UPSTREAM

_OFFER = "* offer "


def awaited(line: str) -> dict[str, int]:
    """The names and numbers of the messages that a line `F>B NAME` waits for; `ConversationError`."""
    words = line.removeprefix("F>B ").split(" or ")
    rows = [(row.name, row.id) for name in words for row in UPSTREAM.find(name) if row.channel is Channel.MAIN]
    if len(rows) < len(words):
        raise ConversationError(f"no message {line!r}")
    return dict(rows)


def play(case: Case, scene: Scene) -> Played:
    """Play a case; what the front-end did after the line that is judged."""
    judged = frame = 0
    words, sent = scene.program.written, 0
    try:
        for line in lines_of(case.talk):
            if line.judged:
                judged, words, sent = line.number, scene.program.written, len(scene.sent)
                scene.flawed = True
            _do(scene, line.text)
            if line.judged:
                frame = len(scene.recorder.records)
        scene.ensure_connected()
        scene.answer()
        behaviour, text = observe(scene, sent)
    except (DeviationError, HangUpError, LinkError) as deviation:
        if not judged or (isinstance(deviation, DeviationError) and deviation.behaviour is Behaviour.FAILED):
            last = len(scene.recorder.records)
            return Played(Verdict.FAIL, Behaviour.FAILED, str(deviation), judged, last)
        # It hangs up while something is sent: that is a way to give up.
        if scene.session is not None:
            scene.hang_up(Side.FRONT_END)
        behaviour, text = observe(scene, sent)
    spoken = bool(scene.program.output(since=words).strip())
    if behaviour is Behaviour.GIVES_UP and not spoken:
        behaviour = Behaviour.GIVES_UP_QUIETLY
    elif behaviour is Behaviour.STAYS and spoken:
        behaviour = Behaviour.REPORTS
    frame = frame or len(scene.recorder.records)
    return Played(case.meaning(behaviour), behaviour, f"the front-end {text or behaviour}", judged, frame)


def _do(scene: Scene, text: str) -> None:
    if not text.startswith(_OFFER):
        scene.ensure_connected()
    if text.startswith("F>B "):
        scene.answer()
        scene.wait_for(awaited(text))
    elif text.startswith("* "):
        BOOK.act(scene, text.removeprefix("* "))
    else:
        if not text.startswith("B>F backend:"):
            scene.answer(lambda answer: None)
        scene.say(text)
