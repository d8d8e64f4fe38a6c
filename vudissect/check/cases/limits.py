"""Limits of a connection and of a process, and messages of features that are not negotiated."""

from struct import pack

from vudissect.check.model import EITHER, REFUSED_BY_CUSTOM, Behaviour, Case, Verdict

_GATED = "no text on what a back-end does with a message of a feature that is not negotiated"

_IN_BAND = """* negotiate with BACKEND_REQ INBAND_NOTIFICATIONS
        * memory
        F>B SET_BACKEND_REQ_FD sock#1
        * configure
        F>B SET_VRING_CALL ring {ring} nofd
        F>B SET_VRING_KICK ring {ring} nofd
        * enable
        * submit"""
_IN_BAND_NEEDS = ("INBAND_NOTIFICATIONS", "BACKEND_REQ", "REPLY_ACK", "data")
# A session that encrypts with AES-CBC and a key of 16 bytes.
_CIPHER = pack("<IIIIIIBBBB", 3, 16, 0, 0, 0, 0, 1, 1, 0, 0)
_SESSION = (pack("<Q", 2) + _CIPHER).ljust(1072, b"\0")
_OLD_SESSION = (pack("<qI", 0, 2) + _CIPHER).ljust(632, b"\0")


def _gated(case: str, message: str, fields: str, feature: str, rule: str) -> Case:
    """A message of a feature that is not negotiated."""
    return Case(
        case,
        f"{message}, though {feature} is not negotiated",
        "It is refused.",
        f"VHOST_USER_{message}; {_GATED}",
        f"""
        * negotiate
        ? F>B {message} {fields}
        """,
        rules=(rule,),
        meanings=REFUSED_BY_CUSTOM,
        needs=(f"without {feature}",),
        ours=(rule,),
        ours_perhaps=("VU-NEG-06", "VU-DRF-07"),
    )


CASES = (
    Case(
        "LIM-01",
        "200 questions are asked before the first answer is read",
        "200 answers come.",
        "Communication: no text on how many messages may wait",
        """
        * negotiate
        * ask 200 times
        * read 200 answers
        """,
        rules=("VU-HDR-11",),
    ),
    Case(
        "LIM-02",
        "a memory table while the process may open no more descriptors",
        "It is refused, or the connection is closed: the descriptor of the region was lost. The process lives.",
        "VHOST_USER_SET_MEM_TABLE; no text on descriptors that the receiver has no room for",
        """
        * negotiate
        ? * a memory table without room for its descriptor
        * settled
        """,
        rules=("VU-FD-08",),
        meanings={**REFUSED_BY_CUSTOM, Behaviour.ACKNOWLEDGED: Verdict.FAIL},
        needs=("serving", "REPLY_ACK"),
    ),
    _gated("INB-01", "VRING_KICK", "ring 0", "INBAND_NOTIFICATIONS", "VU-VRG-14"),
    Case(
        "INB-02",
        "a ring is kicked by VRING_KICK",
        "The request is done.",
        "In-band notifications: VHOST_USER_VRING_KICK",
        f"""
        {_IN_BAND}
        F>B VRING_KICK ring {{ring}}
        * served, signalled or not
        """,
        rules=("VU-VRG-14",),
        needs=_IN_BAND_NEEDS,
    ),
    Case(
        "INB-03",
        "a request is done in a ring without a call descriptor",
        "VRING_CALL comes on the channel.",
        "In-band notifications: VHOST_USER_BACKEND_VRING_CALL",
        f"""
        {_IN_BAND}
        F>B VRING_KICK ring {{ring}}
        * served, signalled or not
        * VRING_CALL comes on the channel
        """,
        rules=("VU-VRG-14",),
        needs=_IN_BAND_NEEDS,
    ),
    _gated("END-01", "SET_VRING_ENDIAN", "ring 0 num=1", "CROSS_ENDIAN", "VU-NEG-06"),
    _gated("CRY-01", "CLOSE_CRYPTO_SESSION", "session_id=1", "CRYPTO_SESSION", "VU-NEG-06"),
    Case(
        "CRY-02",
        "CREATE_CRYPTO_SESSION with 1072 bytes, as QEMU 8.1 and later send it",
        "It is answered.",
        "VHOST_USER_CREATE_CRYPTO_SESSION",
        f"""
        * negotiate with CRYPTO_SESSION
        ? F>B message 26 payload={_SESSION.hex()}
        """,
        rules=("VU-HDR-07",),
        meanings={Behaviour.ANSWERED: Verdict.PASS},
        needs=("CRYPTO_SESSION",),
        device="crypto",
    ),
    Case(
        "CRY-03",
        "CREATE_CRYPTO_SESSION with 632 bytes, as QEMU 7.0 sends it",
        "It is answered, or the connection is closed: an answer is waited for.",
        "VHOST_USER_CREATE_CRYPTO_SESSION; no text on the forms of other releases",
        f"""
        * negotiate with CRYPTO_SESSION
        ? F>B message 26 payload={_OLD_SESSION.hex()}
        """,
        rules=("VU-HDR-07",),
        meanings={Behaviour.ANSWERED: Verdict.PASS, Behaviour.CLOSED: Verdict.PASS},
        needs=("CRYPTO_SESSION",),
        device="crypto",
        ours_perhaps=("VU-HDR-07",),
    ),
    Case(
        "CRY-04",
        "CLOSE_CRYPTO_SESSION of a session that does not exist",
        "It is accepted or refused; the process lives.",
        "VHOST_USER_CLOSE_CRYPTO_SESSION; no text on what a back-end does with it",
        """
        * negotiate with CRYPTO_SESSION
        ? F>B CLOSE_CRYPTO_SESSION session_id=77
        """,
        meanings=EITHER,
        needs=("CRYPTO_SESSION",),
        device="crypto",
    ),
)
