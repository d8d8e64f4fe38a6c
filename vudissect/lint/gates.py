"""The features that a message needs before it may be sent."""

from typing import NamedTuple

from vudissect.protocol.bits import BitSet
from vudissect.protocol.features import GPU_FEATURES, VIRTIO_FEATURES
from vudissect.protocol.model import Gate, PhaseNeeded
from vudissect.session.state import Negotiation, State


class Lack(NamedTuple):
    """The features of a gate that are known to be missing, as text, and the frames that show it."""

    text: str
    frames: tuple[int, ...]


def lacking(state: State, gate: Gate) -> Lack | None:
    """What a gate lacks; None if nothing, or if no message has shown it."""
    words: tuple[tuple[Negotiation, BitSet, tuple[str, ...]], ...] = (
        (state.protocol_features, state.protocol.protocol_features, gate.protocol),
        (state.features, VIRTIO_FEATURES, gate.virtio),
        (state.gpu_features, GPU_FEATURES, gate.gpu),
    )
    names: list[str] = []
    frames: set[int] = set()
    for word, bits, needed in words:
        there, told_in = _what_is_there(word, gate.phase, state.from_start)
        missing = [name for name in needed if there is not None and not there & bits.known(name)]
        if missing:
            names += missing
            frames |= {told_in} - {0}
    if not names:
        return None
    verb = "is" if len(names) == 1 else "are"
    # Without such a frame, it follows from the start of the connection.
    when = "" if frames else " yet"
    return Lack(f"{' and '.join(names)} {verb} not {gate.phase.value}{when}", tuple(sorted(frames)))


def _what_is_there(word: Negotiation, phase: PhaseNeeded, from_start: bool) -> tuple[int | None, int]:
    """The features that have reached the phase of a gate (None if unknown), and the frame that shows it."""
    offered = word.offered if word.offered is not None or not from_start else 0
    if phase is PhaseNeeded.OFFERED:
        return offered, word.offered_in
    if word.acked is not None or from_start:
        return word.acked or 0, word.acked_in
    return offered, word.offered_in
