"""What is done with the answer to the message that is held."""

import os
from collections.abc import Callable

from vudissect.check.front_end.scene import Scene
from vudissect.check.front_end.session import Answer, request_name, wants_acknowledgement
from vudissect.check.front_end.verbs.book import BOOK, NotHereError
from vudissect.protocol.model import Channel
from vudissect.protocol.table import UPSTREAM
from vudissect.wire.codec import layout_codec
from vudissect.wire.fields import from_fields, to_fields
from vudissect.wire.header import HEADER_SIZE, REPLY, VERSION, struct_of

_HEADER = struct_of("III", "little")
_WORD = struct_of("Q", "little")
_SLOW_ANSWERS = 4


def _changed(scene: Scene, change: Callable[[Answer], Answer]) -> None:
    scene.answer(lambda answer: scene.send(change(answer)))


@BOOK.verb(r"answer", "the message that is held is answered as it should be")
def answer(scene: Scene) -> None:
    """Without a flaw."""
    scene.answer()


@BOOK.verb(r"answer with flags (0x[0-9a-f]+)", "the right answer, with these flags in its header")
def with_flags(scene: Scene, flags: str) -> None:
    """0x5 is right."""
    _changed(scene, lambda answer: answer.with_header(flags=int(flags, 16)))


@BOOK.verb(r"answer with message number \+(\d+)", "the right answer, with a higher message number")
def with_number(scene: Scene, more: str) -> None:
    """It answers nothing that was asked."""
    number = scene.held.number if scene.held is not None else 0
    _changed(scene, lambda answer: answer.with_header(number=number + int(more)))


@BOOK.verb(r"answer with (\d+) bytes", "the right answer, with a payload cut to this size, or filled up with zeroes")
def with_size(scene: Scene, size: str) -> None:
    """The header announces this size."""
    _changed(scene, lambda answer: answer.with_payload(answer.payload[: int(size)].ljust(int(size), b"\0")))


@BOOK.verb(r"answer with (\d+) bytes more", "the right answer, with so many zeroes after it that its header includes")
def with_more(scene: Scene, more: str) -> None:
    """The header announces the size."""
    _changed(scene, lambda answer: answer.with_payload(answer.payload + bytes(int(more))))


@BOOK.verb(r"answer with ([a-z_]+) (\d+)", "the right answer, with another value in this field")
def with_field(scene: Scene, name: str, value: str) -> None:
    """The size is as it should be."""
    held = scene.held
    row = UPSTREAM.request(Channel.MAIN, held.number) if held is not None else None

    def change(answer: Answer) -> Answer:
        if row is None or not row.reply:
            raise NotHereError("the front-end sends a message that has no answer of its own")
        layout = row.reply[0]
        codec = layout_codec(layout, "little")
        fields = to_fields(layout, codec.decode(answer.payload, len(answer.payload)) or ())
        return answer.with_payload(codec.encode(from_fields(layout, {**fields, name: int(value)})))

    _changed(scene, change)


@BOOK.verb(r"answer with (\d+) descriptors", "the right answer, with eventfds that nobody expects")
def with_descriptors(scene: Scene, count: str) -> None:
    """They are the front-end's to close."""
    fds = tuple(os.eventfd(0) for _ in range(int(count)))
    try:
        _changed(scene, lambda answer: answer._replace(descriptors=fds))
    finally:
        for fd in fds:
            os.close(fd)


@BOOK.verb(r"answer without a descriptor", "the right answer, without the descriptor that belongs to it")
def without_descriptor(scene: Scene) -> None:
    """The fields are as if it had come."""
    _changed(scene, lambda answer: answer._replace(descriptors=()))


@BOOK.verb(r"answer byte by byte", "the right answer, one byte a write")
def bytewise(scene: Scene) -> None:
    """Each byte is read before the next one is written."""
    scene.answer(lambda answer: scene.send(answer, piece=1))


@BOOK.verb(r"answer in two writes", "the right answer: the header, and when that was read, the payload")
def in_two_writes(scene: Scene) -> None:
    """As libvhost-user does."""
    scene.answer(lambda answer: scene.send(answer, piece=HEADER_SIZE))


@BOOK.verb(
    r"answer with the first (\d+) bytes and hang up", "so much of the right answer, then the connection is closed"
)
def in_part(scene: Scene, size: str) -> None:
    """As a back-end that dies while it answers."""
    scene.answer(lambda answer: scene.send_part(answer, int(size)))
    scene.hang_up()


@BOOK.verb(r"answer twice", "the right answer, twice")
def twice(scene: Scene) -> None:
    """The second one answers nothing."""

    def send(answer: Answer) -> None:
        scene.send(answer)
        scene.send(answer)

    scene.answer(send)


@BOOK.verb(r"acknowledge with (\d+)", "the message is acknowledged, with this value; it must ask for that")
def acknowledge(scene: Scene, value: str) -> None:
    """0 is success."""
    _require_question(scene)
    _changed(scene, lambda answer: answer.with_payload(_WORD.pack(int(value))))


@BOOK.verb(r"do not acknowledge", "the message is not acknowledged; it must ask for that")
def unacknowledged(scene: Scene) -> None:
    """The front-end waits."""
    _require_question(scene)
    scene.answer(lambda answer: None)


def _require_question(scene: Scene) -> None:
    held = scene.held
    if held is None or not wants_acknowledgement(held):
        name = request_name(held.number) if held is not None else "nothing"
        raise NotHereError(f"the front-end does not ask for an acknowledgement of {name}")


@BOOK.verb(r"acknowledge unasked", "the message is acknowledged with 0, though that was not asked for")
def unasked(scene: Scene) -> None:
    """An answer too many."""
    held = scene.held
    if held is None or wants_acknowledgement(held):
        raise NotHereError("the front-end asks for the acknowledgement")
    scene.answer()
    scene.send(Answer(_HEADER.pack(held.number, VERSION | REPLY, _WORD.size) + _WORD.pack(0)))


@BOOK.verb(r"say nothing", "the message is not answered; if later ones come, they are")
def silent(scene: Scene) -> None:
    """The front-end waits."""
    scene.answer(lambda answer: None)


@BOOK.verb(r"hang up", "the connection is closed, and a message that is held remains unanswered")
def hang_up(scene: Scene) -> None:
    """As a back-end that dies."""
    scene.hang_up()


@BOOK.verb(r"answer (\d+) ms late from now on", f"each of the next {_SLOW_ANSWERS} answers comes so much later")
def slowly(scene: Scene, delay: str) -> None:
    """As a back-end that has a lot of memory to map."""
    scene.delay, scene.delayed = int(delay) / 1000, _SLOW_ANSWERS
    scene.timeout = max(scene.timeout, 2 * scene.delay)
