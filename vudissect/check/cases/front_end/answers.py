"""Answers: their headers, sizes, number, descriptors and times."""

from vudissect.check.cases.front_end.meanings import HARMLESS, NOTICED, NOTICED_BY_CUSTOM, TOLERATED, UNUSUAL
from vudissect.check.model import Case

_FLAGS = "Header: bit 2 is the reply flag, bit 3 the need_reply flag, the version is 1"
_HEADER = "Header: request, flags and size; no text on what a front-end does with a wrong one"
_NO_LIMIT = "no text: there is no time limit for an answer"

CASES = (
    Case(
        "F-00",
        "a back-end that is right in everything",
        "The front-end comes as far as before, and does nothing that it may not do.",
        "all of it",
        """
        ? * as far as it comes
        * it breaks no rule
        """,
        meanings=HARMLESS,
    ),
    Case(
        "F-01",
        "the answer to GET_FEATURES has flags 0xd: NEED_REPLY is set",
        "The front-end gives up, or ignores the flag: it owes no answer to an answer.",
        _FLAGS,
        """
        F>B GET_FEATURES
        ? * answer with flags 0xd
        """,
        rules=("VU-HDR-05",),
        meanings=TOLERATED,
        ours=("VU-HDR-05",),
    ),
    Case(
        "F-02",
        "the answer to GET_FEATURES has flags 0x1: not marked as an answer",
        "The front-end gives up.",
        _FLAGS,
        """
        F>B GET_FEATURES
        ? * answer with flags 0x1
        """,
        rules=("VU-HDR-03",),
        meanings=NOTICED_BY_CUSTOM,
        ours=("VU-HDR-03",),
    ),
    Case(
        "F-03",
        "the answer to GET_FEATURES has flags 0x15: a reserved bit is set",
        "The front-end gives up, or ignores the bit.",
        _FLAGS,
        """
        F>B GET_FEATURES
        ? * answer with flags 0x15
        """,
        rules=("VU-HDR-04",),
        meanings=TOLERATED,
        ours=("VU-HDR-04",),
    ),
    Case(
        "F-04",
        "GET_FEATURES is answered with the number of another message",
        "The front-end gives up: every answer after that could be the wrong one.",
        _HEADER,
        """
        F>B GET_FEATURES
        ? * answer with message number +14
        """,
        rules=("VU-RPL-01",),
        meanings=NOTICED_BY_CUSTOM,
        ours=("VU-RPL-01",),
    ),
    Case(
        "F-05",
        "GET_FEATURES is answered with 4 bytes",
        "The front-end gives up.",
        "VHOST_USER_GET_FEATURES: reply payload u64",
        """
        F>B GET_FEATURES
        ? * answer with 4 bytes
        """,
        rules=("VU-RPL-06",),
        meanings=NOTICED,
        ours=("VU-RPL-06",),
    ),
    Case(
        "F-06",
        "GET_FEATURES is answered with 16 bytes",
        "The front-end gives up.",
        "VHOST_USER_GET_FEATURES: reply payload u64",
        """
        F>B GET_FEATURES
        ? * answer with 16 bytes
        """,
        rules=("VU-RPL-06",),
        meanings=NOTICED,
        ours=("VU-RPL-06",),
    ),
    Case(
        "F-07",
        "GET_FEATURES is answered one byte a write",
        "The front-end reads on until the answer is complete.",
        "no text: the socket is a stream",
        """
        F>B GET_FEATURES
        ? * answer byte by byte
        """,
        rules=("VU-HDR-09",),
        meanings=UNUSUAL,
    ),
    Case(
        "F-08",
        "GET_FEATURES is answered twice",
        "The front-end gives up when the next answer is not the one that it waits for, so that no value is mistaken.",
        "Communication: a request has one reply",
        """
        F>B GET_FEATURES
        ? * answer twice
        """,
        rules=("VU-RPL-07",),
        meanings=NOTICED_BY_CUSTOM,
        ours=("VU-RPL-02",),
    ),
    Case(
        "F-09",
        "GET_FEATURES is never answered",
        "The front-end gives up after some time, or can at least be ended with SIGTERM.",
        _NO_LIMIT,
        """
        F>B GET_FEATURES
        ? * say nothing
        """,
        rules=("VU-RPL-01",),
        meanings=NOTICED,
        ours=("VU-RPL-03",),
    ),
    Case(
        "F-10",
        "the back-end hangs up instead of answering GET_FEATURES",
        "The front-end gives up, or connects again.",
        "no text",
        """
        F>B GET_FEATURES
        ? * hang up
        """,
        rules=("VU-RPL-08",),
        meanings=NOTICED,
        ours_perhaps=("VU-RPL-08",),
    ),
    Case(
        "F-22",
        "GET_FEATURES is answered with 1 MiB",
        "The front-end gives up.",
        "VHOST_USER_GET_FEATURES: reply payload u64",
        """
        F>B GET_FEATURES
        ? * answer with 1048576 bytes
        """,
        rules=("VU-HDR-08",),
        meanings=NOTICED,
        ours=("VU-RPL-06",),
    ),
    Case(
        "F-23",
        "SET_OWNER is acknowledged, though that was not asked for",
        "The front-end gives up when the next answer is not the one that it waits for.",
        "VHOST_USER_PROTOCOL_F_REPLY_ACK: an acknowledgement only if NEED_REPLY is set",
        """
        F>B SET_OWNER
        ? * acknowledge unasked
        """,
        rules=("VU-RPL-02",),
        meanings=NOTICED_BY_CUSTOM,
        ours=("VU-RPL-02",),
    ),
    Case(
        "F-24",
        "the answer to GET_FEATURES brings four descriptors",
        "The front-end closes them and goes on, or gives up.",
        "Message list: only some messages have ancillary data",
        """
        F>B GET_FEATURES
        ? * answer with 4 descriptors
        """,
        rules=("VU-FD-01",),
        meanings=TOLERATED,
        ours=("VU-FD-01",),
    ),
    Case(
        "F-40",
        "answers come 900 ms late",
        "The front-end waits: a back-end may have a lot of memory to map.",
        _NO_LIMIT,
        """
        ? * answer 900 ms late from now on
        """,
        rules=("VU-TIM-01",),
        meanings=HARMLESS,
        ours_perhaps=("VU-TIM-01",),
    ),
    Case(
        "F-41",
        "the header and the payload of the answer to GET_FEATURES are two writes",
        "The front-end reads on until the answer is complete: libvhost-user answers like this.",
        "no text: the socket is a stream",
        """
        F>B GET_FEATURES
        ? * answer in two writes
        """,
        rules=("VU-HDR-09",),
        meanings=HARMLESS,
    ),
    Case(
        "F-42",
        "the back-end hangs up after 6 bytes of the answer to GET_FEATURES",
        "The front-end gives up, or connects again.",
        "no text",
        """
        F>B GET_FEATURES
        ? * answer with the first 6 bytes and hang up
        """,
        rules=("VU-RPL-08",),
        meanings=NOTICED,
        ours_perhaps=("VU-RPL-08", "VU-HDR-07"),
    ),
    Case(
        "F-43",
        "the back-end hangs up after the header of the answer to GET_FEATURES",
        "The front-end gives up, or connects again.",
        "no text",
        """
        F>B GET_FEATURES
        ? * answer with the first 12 bytes and hang up
        """,
        rules=("VU-RPL-08",),
        meanings=NOTICED,
        ours_perhaps=("VU-RPL-08", "VU-HDR-07"),
    ),
    Case(
        "F-44",
        "the answer to GET_FEATURES has version 0",
        "The front-end gives up.",
        _FLAGS,
        """
        F>B GET_FEATURES
        ? * answer with flags 0x4
        """,
        rules=("VU-HDR-02",),
        meanings=NOTICED_BY_CUSTOM,
        ours=("VU-HDR-02",),
    ),
    Case(
        "F-45",
        "the answer to GET_FEATURES announces the header size only: its payload is missing",
        "The front-end gives up.",
        "VHOST_USER_GET_FEATURES: reply payload u64",
        """
        F>B GET_FEATURES
        ? * answer with 0 bytes
        """,
        rules=("VU-RPL-06",),
        meanings=NOTICED,
        ours=("VU-RPL-06",),
    ),
)
