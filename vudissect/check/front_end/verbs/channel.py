"""What happens on the channel of the back-end."""

import time

from vudissect.check.front_end.scene import Happened, Scene
from vudissect.check.front_end.verbs.book import BOOK
from vudissect.check.model import Behaviour
from vudissect.check.stage import DeviationError
from vudissect.wire.header import HEADER_SIZE

_BURST = 50


@BOOK.verb(r"(\d+) times on the channel: (.*)", f"so many messages on the channel, {_BURST} before they are read")
def flood(scene: Scene, count: str, words: str) -> None:
    """What the front-end does because of them is answered."""
    for number in range(1, int(count) + 1):
        scene.say(f"B>F backend: {words}")
        if number % _BURST == 0:
            _await_reader(scene)


def _await_reader(scene: Scene) -> None:
    deadline = time.monotonic() + scene.timeout
    while scene.channel_unread and time.monotonic() < deadline:
        if scene.step() is Happened.CLOSED:
            return
    if scene.channel_unread:
        raise DeviationError(Behaviour.SILENT, "the front-end does not read what is sent on the channel")


@BOOK.verb(r"close the channel", "our end of the channel is closed; the main connection is not")
def close(scene: Scene) -> None:
    """As a back-end that needs it no more."""
    scene.close_channel()


@BOOK.verb(r"the channel acknowledges with (0|a failure)", "the front-end acknowledges what was sent on the channel")
def acknowledges(scene: Scene, how: str) -> None:
    """Or it closes the channel, where a failure is due."""
    if not _await_answers(scene, 1):
        if scene.channel_is_lost and how != "0":
            return
        raise DeviationError(Behaviour.FAILED, "what was sent on the channel is not acknowledged")
    failed = any(scene.channel_answers.pop(0).data[HEADER_SIZE:])
    if failed is (how == "0"):
        raise DeviationError(Behaviour.FAILED, f"what was sent on the channel is {'refused' if failed else 'accepted'}")


@BOOK.verb(
    r"only message (\d+) on the channel is acknowledged", "the first acknowledgement on the channel is this one's"
)
def only(scene: Scene, number: str) -> None:
    """Messages are handled in order, so that one that was sent before is not acknowledged any more."""
    if _await_answers(scene, 1):
        answer = scene.channel_answers.pop(0)
        if answer.number != int(number):
            raise DeviationError(Behaviour.FAILED, "a message is acknowledged that did not ask for it")


def _await_answers(scene: Scene, count: int) -> bool:
    deadline = time.monotonic() + scene.timeout
    while len(scene.channel_answers) < count and time.monotonic() < deadline:
        if scene.channel_is_lost or scene.step() is Happened.CLOSED:
            break
    return len(scene.channel_answers) >= count
