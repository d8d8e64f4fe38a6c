"""Headers, sizes and the cutting of a stream into messages."""

from vudissect.check.model import DROPPED, REFUSED, REFUSED_BY_CUSTOM, Behaviour, Case, Verdict

_HEADER = "Header: request, flags, size"
_COMMUNICATION = "Communication"
_PIECES = "no text: a stream socket may deliver any pieces"

CASES = (
    Case(
        "FRM-01",
        "GET_FEATURES, one byte a write",
        "It is answered. A back-end may also close the connection, as every front-end sends a message in one write.",
        _PIECES,
        """
        * bytewise
        ? F>B GET_FEATURES
        """,
        rules=("VU-HDR-09",),
        meanings={Behaviour.ANSWERED: Verdict.PASS, Behaviour.CLOSED: Verdict.NON_STRICT},
        ours=("VU-HDR-09",),
    ),
    Case(
        "FRM-02",
        "header and payload in two writes, 20 ms apart",
        "The message works: programs such as libvhost-user write the two apart.",
        _PIECES,
        """
        * negotiate
        F>B SET_VRING_NUM ring 0 num=128 split
        """,
        rules=("VU-HDR-09",),
        ours=("VU-HDR-09",),
    ),
    Case(
        "FRM-03",
        "20 messages in one write",
        "20 answers come, in the order of their requests.",
        _COMMUNICATION,
        "F>B GET_FEATURES\n* hold\n"
        + 10 * "F>B GET_FEATURES\nF>B GET_PROTOCOL_FEATURES\n"
        + "* release\n"
        + 10 * "B>F GET_FEATURES\nB>F GET_PROTOCOL_FEATURES\n",
        rules=("VU-HDR-11",),
        needs=("PROTOCOL_FEATURES",),
    ),
    Case(
        "FRM-04",
        "version 0 in a request",
        "It is refused: the version is 1.",
        _HEADER,
        "? F>B GET_FEATURES header_flags=0x0",
        rules=("VU-HDR-02",),
        meanings={**REFUSED, Behaviour.ANSWERED: Verdict.NON_STRICT},
        ours=("VU-HDR-02",),
    ),
    Case(
        "FRM-05",
        "version 2 in a request",
        "It is refused: the version is 1.",
        _HEADER,
        "? F>B GET_FEATURES header_flags=0x2",
        rules=("VU-HDR-02",),
        meanings={**REFUSED, Behaviour.ANSWERED: Verdict.NON_STRICT},
        ours=("VU-HDR-02",),
    ),
    Case(
        "FRM-06",
        "the REPLY flag in a request",
        "It is refused: only the back-end's replies have this flag.",
        _HEADER,
        "? F>B GET_FEATURES header_flags=0x5",
        rules=("VU-HDR-03",),
        meanings={**REFUSED, Behaviour.ANSWERED: Verdict.NON_STRICT},
        ours=("VU-HDR-03",),
    ),
    Case(
        "FRM-07",
        "a reserved flag (bit 4) in a request",
        "It is refused, or answered with flags 0x5. The flag is never sent back: front-ends close the connection.",
        _HEADER,
        "? F>B GET_FEATURES header_flags=0x11",
        rules=("VU-HDR-04",),
        meanings={**REFUSED, Behaviour.ANSWERED: Verdict.PASS},
        ours=("VU-HDR-04",),
    ),
    Case(
        "FRM-08",
        "SET_VRING_NUM with 4 bytes of payload",
        "It is refused: a vring state has 8 bytes.",
        "A vring state description",
        """
        * negotiate
        ? F>B SET_VRING_NUM payload=00000000
        """,
        rules=("VU-HDR-07",),
        meanings=REFUSED,
        ours=("VU-HDR-07",),
    ),
    Case(
        "FRM-09",
        "SET_FEATURES with 16 bytes of payload",
        "It is refused: a feature word has 8 bytes.",
        "A single 64-bit integer",
        """
        * negotiate
        ? F>B SET_FEATURES payload=00000040010000000000000000000000
        """,
        rules=("VU-HDR-07",),
        meanings=REFUSED,
        ours=("VU-HDR-07",),
    ),
    Case(
        "FRM-10",
        "SET_VRING_NUM without a payload",
        "It is refused: a vring state has 8 bytes.",
        "A vring state description",
        """
        * negotiate
        ? F>B SET_VRING_NUM payload=
        """,
        rules=("VU-HDR-07",),
        meanings=REFUSED,
        ours=("VU-HDR-07",),
        ours_perhaps=("VU-DRF-06",),
    ),
    Case(
        "FRM-11",
        "a header that announces 4 GiB",
        "The connection is closed at once: no message is that long, and nobody should wait for one.",
        _HEADER,
        "? F>B GET_FEATURES header_size=0xffffffff",
        rules=("VU-HDR-08",),
        meanings=REFUSED,
        ours_perhaps=("VU-HDR-07", "VU-HDR-08"),
    ),
    Case(
        "FRM-12",
        "a message with the unknown number 99",
        "The connection is closed, or goes on as if nothing had been sent.",
        "no text: an unknown message has no answer",
        "? F>B message 99 payload=",
        rules=("VU-HDR-01",),
        meanings=DROPPED,
        ours=("VU-HDR-01",),
    ),
    Case(
        "FRM-13",
        "the unknown message 99 that asks for an acknowledgement",
        "It is acknowledged with a value other than 0: with REPLY_ACK, every message that asks for it is answered.",
        "VHOST_USER_PROTOCOL_F_REPLY_ACK",
        """
        * negotiate
        ? F>B message 99 payload= need_reply
        """,
        rules=("VU-RPL-04",),
        meanings={Behaviour.REFUSED: Verdict.PASS, Behaviour.CLOSED: Verdict.NON_STRICT},
        needs=("REPLY_ACK",),
        ours=("VU-HDR-01",),
    ),
    Case(
        "FRM-14",
        "a message with the number 0",
        "The connection is closed, or goes on as if nothing had been sent.",
        "no text: no message has this number",
        "? F>B message 0 payload=",
        rules=("VU-HDR-01",),
        meanings=DROPPED,
        ours=("VU-HDR-01",),
    ),
    Case(
        "FRM-15",
        "half a header, then the connection is closed",
        "The next connection works.",
        "no text: a front-end may end at any moment",
        """
        F>B GET_FEATURES cut_short=6
        * close
        * connect
        F>B GET_FEATURES
        """,
        rules=("VU-TIM-02",),
        needs=("reconnect",),
        ours_perhaps=("VU-HDR-07",),
    ),
    Case(
        "FRM-16",
        "a connection on which nothing is sent",
        "The next connection works.",
        "no text: a front-end may end at any moment",
        """
        * close
        * connect
        F>B GET_FEATURES
        """,
        rules=("VU-TIM-02",),
        needs=("reconnect",),
    ),
    Case(
        "FRM-17",
        "a message with a descriptor in two writes, cut after each of its bytes",
        "It works wherever it is cut: what is missing comes with the next read. A back-end may also close the"
        " connection, as every front-end sends a message in one write, or its header first.",
        _PIECES,
        """
        * negotiate
        ? * a message in two pieces, cut after each byte
        """,
        rules=("VU-HDR-09",),
        meanings={Behaviour.CLOSED: Verdict.NON_STRICT, Behaviour.SILENT: Verdict.FAIL},
        ours_perhaps=("VU-HDR-09",),
    ),
    Case(
        "FRM-18",
        "GET_FEATURES with 4096 bytes of payload",
        "It is refused: it has no payload.",
        "VHOST_USER_GET_FEATURES: request payload N/A",
        f"""
        * negotiate
        ? F>B GET_FEATURES payload={"00" * 4096}
        """,
        rules=("VU-HDR-07",),
        meanings=REFUSED_BY_CUSTOM,
        ours=("VU-HDR-07",),
        ours_perhaps=("VU-HDR-08",),
    ),
    Case(
        "FRM-19",
        "SET_VRING_KICK with 16 bytes of payload",
        "It is refused: its payload has 8 bytes.",
        "A single 64-bit integer",
        """
        * negotiate
        ? F>B SET_VRING_KICK payload=00010000000000000000000000000000
        """,
        rules=("VU-HDR-07",),
        meanings=REFUSED,
        ours=("VU-HDR-07",),
        ours_perhaps=("VU-VRG-04", "VU-VRG-09", "VU-FD-03"),
    ),
    Case(
        "FRM-20",
        "SET_VRING_ADDR with 8 bytes of payload",
        "It is refused: there are 40.",
        "A vring address description",
        """
        * negotiate
        * memory
        ? F>B SET_VRING_ADDR payload=0000000000000000
        """,
        rules=("VU-HDR-07",),
        meanings=REFUSED,
        ours=("VU-HDR-07",),
        ours_perhaps=("VU-DRF-06",),
    ),
    Case(
        "FRM-21",
        "a message with the number 0x80000064",
        "The connection is closed, or goes on as if nothing had been sent.",
        "no text: an unknown message has no answer",
        """
        * negotiate
        ? F>B message 2147483748 payload=
        """,
        rules=("VU-HDR-01",),
        meanings=DROPPED,
        ours=("VU-HDR-01",),
    ),
)
