"""How conversations begin that are about what comes after the negotiation."""

from tests.conversation import Conversation
from vudissect.protocol.features import PROTOCOL_FEATURES, VIRTIO_FEATURES


def opened(
    *protocol_features: str,
    features: tuple[str, ...] = ("PROTOCOL_FEATURES", "VERSION_1"),
    front_end: str = "",
    back_end: str = "",
) -> Conversation:
    """A connection from its beginning until these features are negotiated: seven records."""
    protocol_word, word = PROTOCOL_FEATURES.mask(*protocol_features), VIRTIO_FEATURES.mask(*features)
    talk = Conversation()
    talk.open(front_end, back_end)
    talk.ask("GET_FEATURES", features=word)
    talk.ask("GET_PROTOCOL_FEATURES", features=protocol_word)
    talk.front_end("SET_PROTOCOL_FEATURES", features=protocol_word)
    talk.front_end("SET_FEATURES", features=word)
    return talk
