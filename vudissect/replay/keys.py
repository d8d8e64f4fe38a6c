"""Key material for a replay: missing keys of a capture are invented."""

from hashlib import shake_128
from typing import Final

from vudissect.capture.keys import key_spans, with_keys
from vudissect.capture.record import Mark, Record

_SEED: Final = b"vudissect: a key for tests"
_MOST_NAMED: Final = 4


class Keys:
    """Fills in the keys of a replay, always the same ones, and remembers the frames.

    Not zeros: ciphers refuse weak keys and keys with two equal halves.
    """

    def __init__(self) -> None:
        self._frames: list[int] = []

    def complete(self, record: Record) -> bytes:
        """The bytes of a message with all keys filled in."""
        if not record.marks & Mark.KEYS_MASKED:
            return record.data
        self._frames.append(record.frame)
        spans = key_spans(record.channel, record.data)
        return with_keys(record.data, spans, shake_128(_SEED).digest(len(record.data)))

    @property
    def remarks(self) -> list[str]:
        """The remark about it, if there is one."""
        if not self._frames:
            return []
        frames = ", ".join(f"#{frame}" for frame in self._frames[:_MOST_NAMED])
        more = f" and {len(self._frames) - _MOST_NAMED} more" if len(self._frames) > _MOST_NAMED else ""
        return [f"the capture has no key material: invented keys of the same length were sent in {frames}{more}"]
