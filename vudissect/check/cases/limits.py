"""Limits of a connection and of a process, and messages of features that are not negotiated."""

from vudissect.check.model import REFUSED_BY_CUSTOM, Behaviour, Case, Verdict

_GATED = "no text on what a back-end does with a message of a feature that is not negotiated"

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
    Case(
        "INB-01",
        "VRING_KICK, though INBAND_NOTIFICATIONS is not negotiated",
        "It is refused.",
        f"VHOST_USER_VRING_KICK; {_GATED}",
        """
        * negotiate
        ? F>B VRING_KICK ring 0
        """,
        rules=("VU-VRG-14",),
        meanings=REFUSED_BY_CUSTOM,
        needs=("without INBAND_NOTIFICATIONS",),
        ours=("VU-VRG-14",),
        ours_perhaps=("VU-NEG-06", "VU-DRF-07"),
    ),
    Case(
        "END-01",
        "SET_VRING_ENDIAN, though CROSS_ENDIAN is not negotiated",
        "It is refused.",
        f"VHOST_USER_SET_VRING_ENDIAN; {_GATED}",
        """
        * negotiate
        ? F>B SET_VRING_ENDIAN ring 0 num=1
        """,
        rules=("VU-NEG-06",),
        meanings=REFUSED_BY_CUSTOM,
        needs=("without CROSS_ENDIAN",),
        ours=("VU-NEG-06",),
        ours_perhaps=("VU-DRF-07",),
    ),
    Case(
        "CRY-01",
        "CLOSE_CRYPTO_SESSION, though CRYPTO_SESSION is not negotiated",
        "It is refused.",
        f"VHOST_USER_CLOSE_CRYPTO_SESSION; {_GATED}",
        """
        * negotiate
        ? F>B CLOSE_CRYPTO_SESSION session_id=1
        """,
        rules=("VU-NEG-06",),
        meanings=REFUSED_BY_CUSTOM,
        needs=("without CRYPTO_SESSION",),
        ours=("VU-NEG-06",),
        ours_perhaps=("VU-DRF-07",),
    ),
)
