"""Feature words as names, and as the difference from what was offered."""

from collections.abc import Callable

from vudissect.protocol.bits import BitSet
from vudissect.protocol.devices import feature_names
from vudissect.protocol.purpose import Purpose
from vudissect.session.state import Negotiation, State


def offered_text(names: tuple[str, ...]) -> str:
    """All names of a word."""
    return " ".join(names) or "none"


def virtio_features_text(word: int, state: State, purpose: Purpose) -> str:
    """A virtio feature word; an acknowledgement is shown against the offer."""
    device = state.guess.device
    if purpose is not Purpose.ACK_FEATURES or state.features.offered is None:
        return offered_text(feature_names(device, word))
    offered = state.features.offered
    return _difference(
        feature_names(device, word),
        feature_names(device, offered & ~word),
        feature_names(device, word & ~offered),
    )


def feature_bits_text(bits: BitSet, word: int, state: State, purpose: Purpose) -> str:
    """A word of protocol features of a channel; an acknowledgement is shown against the offer."""
    if purpose not in _ACKNOWLEDGED:
        return offered_text(bits.names(word))
    offered = _ACKNOWLEDGED[purpose](state).offered
    if offered is None:
        return offered_text(bits.names(word))
    return _difference(bits.names(word), bits.names(offered & ~word), bits.names(word & ~offered))


_ACKNOWLEDGED: dict[Purpose, Callable[[State], Negotiation]] = {
    Purpose.ACK_PROTOCOL_FEATURES: lambda state: state.protocol_features,
    Purpose.ACK_GPU_FEATURES: lambda state: state.gpu_features,
}


def _difference(acked: tuple[str, ...], refused: tuple[str, ...], unasked: tuple[str, ...]) -> str:
    # Show whichever of the two lists is shorter.
    if not acked:
        text = "none"
    elif not refused:
        text = "all that was offered"
    elif len(refused) < len(acked):
        text = "all but " + " ".join(refused)
    else:
        text = "only " + " ".join(name for name in acked if name not in unasked)
    return f"{text}, and NOT OFFERED: {' '.join(unasked)}" if unasked else text
