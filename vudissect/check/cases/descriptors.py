"""Descriptors: too many, too few, the wrong kind, and whether they are closed."""

from vudissect.check.model import ACCEPTED, REFUSED, REFUSED_BY_CUSTOM, Behaviour, Case, Verdict

_PASSED = "Communication: messages that the front-end sends with file descriptors"
_KICK = "VHOST_USER_SET_VRING_KICK"
_CALL = "VHOST_USER_SET_VRING_CALL: bit 8 is the invalid FD flag, set when there is no file descriptor"


def _events(count: int) -> str:
    return " ".join(f"evt#{number}" for number in range(count))


CASES = (
    Case(
        "FDS-01",
        "a descriptor on GET_FEATURES, which takes none",
        "The message is refused, or the descriptor is closed: the process holds no more of them than before.",
        _PASSED,
        """
        F>B GET_FEATURES
        * count descriptors
        ? F>B GET_FEATURES evt#1
        * no more descriptors
        """,
        rules=("VU-FD-01", "VU-FD-08"),
        meanings={**REFUSED, Behaviour.ANSWERED: Verdict.PASS},
        needs=("serving",),
        ours=("VU-FD-01",),
    ),
    Case(
        "FDS-02",
        "SET_VRING_CALL with a descriptor, and with bit 8, which says that there is none",
        "It is refused, or the descriptor is closed.",
        _CALL,
        """
        * negotiate
        * count descriptors
        ? F>B SET_VRING_CALL ring 0 nofd evt#1
        * no more descriptors
        """,
        rules=("VU-FD-03",),
        meanings=REFUSED_BY_CUSTOM,
        needs=("serving",),
        ours=("VU-FD-03",),
        ours_perhaps=("VU-FD-01",),
    ),
    Case(
        "FDS-03",
        "SET_VRING_CALL without a descriptor, and without bit 8",
        "It is refused: a descriptor is announced, and none comes.",
        _CALL,
        """
        * negotiate
        ? F>B SET_VRING_CALL ring 0
        """,
        rules=("VU-FD-03",),
        meanings=REFUSED,
        ours=("VU-FD-03",),
        ours_perhaps=("VU-FD-02",),
    ),
    Case(
        "FDS-04",
        "SET_VRING_KICK with bit 8: the ring is to be polled",
        "It is accepted, and requests are found without a kick. To refuse it is better than to forget the requests.",
        f"{_KICK}: this signals that polling should be used instead of waiting for the kick",
        """
        * negotiate
        * memory
        * configure
        * give descriptors, but not to the ring
        F>B SET_VRING_CALL ring {ring} evt#{call}
        ? F>B SET_VRING_KICK ring {ring} nofd
        * enable
        * submit
        * served
        """,
        rules=("VU-FD-03",),
        meanings={**ACCEPTED, Behaviour.REFUSED: Verdict.NON_STRICT, Behaviour.CLOSED: Verdict.NON_STRICT},
        needs=("data",),
        ours_perhaps=("VU-VRG-09",),
    ),
    Case(
        "FDS-05",
        "SET_MEM_TABLE with one region and no descriptor",
        "It is refused: there is nothing to map.",
        "VHOST_USER_SET_MEM_TABLE: for each memory region there is a file descriptor",
        """
        * negotiate
        ? F>B SET_MEM_TABLE 0+16M at 0x7f0000000000
        """,
        rules=("VU-FD-02",),
        meanings=REFUSED,
        fresh=True,
        ours=("VU-FD-02",),
    ),
    Case(
        "FDS-06",
        "SET_MEM_TABLE with one region and two descriptors",
        "It is refused, or the second one is closed.",
        "VHOST_USER_SET_MEM_TABLE: for each memory region there is a file descriptor",
        """
        * negotiate
        ? F>B SET_MEM_TABLE 0+16M at 0x7f0000000000 mem#a (memfd a 16M) mem#b (memfd b 16M)
        """,
        rules=("VU-FD-01",),
        meanings=REFUSED_BY_CUSTOM,
        ours=("VU-FD-02",),
    ),
    Case(
        "FDS-07",
        "9 descriptors on GET_FEATURES",
        "The message is refused, or the descriptors are closed.",
        _PASSED,
        f"""
        F>B GET_FEATURES
        * count descriptors
        ? F>B GET_FEATURES {_events(9)}
        * no more descriptors
        """,
        rules=("VU-FD-05",),
        meanings={**REFUSED, Behaviour.ANSWERED: Verdict.PASS},
        needs=("serving",),
        ours=("VU-FD-01",),
        ours_perhaps=("VU-FD-05",),
    ),
    Case(
        "FDS-08",
        "40 descriptors on GET_FEATURES",
        "The message is refused, or the descriptors are closed; the back-end does not hang.",
        _PASSED,
        f"""
        F>B GET_FEATURES
        * count descriptors
        ? F>B GET_FEATURES {_events(40)}
        * no more descriptors
        """,
        rules=("VU-FD-05",),
        meanings={**REFUSED, Behaviour.ANSWERED: Verdict.PASS},
        needs=("serving",),
        ours=("VU-FD-01",),
        ours_perhaps=("VU-FD-05",),
    ),
    Case(
        "FDS-09",
        "the descriptor of SET_VRING_CALL comes with the payload, not with the header",
        "It is refused: descriptors come with the first byte of the header.",
        "Communication: file descriptors are sent with the first byte of the header",
        """
        * negotiate
        ? F>B SET_VRING_CALL ring 0 evt#1 late_descriptors
        """,
        rules=("VU-FD-09",),
        meanings=REFUSED_BY_CUSTOM,
        ours=("VU-FD-09",),
        ours_perhaps=("VU-HDR-09",),
    ),
    Case(
        "FDS-10",
        "the kick descriptor is a regular file",
        "It is refused, and not met with an exit later, when the ring starts.",
        "no text: event loops cannot wait for a file",
        """
        * negotiate
        * memory
        * configure
        ? F>B SET_VRING_KICK ring {ring} mem#kick (file /tmp/kick 4K seals -1)
        * settled
        """,
        rules=("VU-FD-06",),
        meanings=REFUSED_BY_CUSTOM,
        ours=("VU-FD-06",),
    ),
    Case(
        "FDS-11",
        "SET_BACKEND_REQ_FD with an eventfd",
        "It is refused: nothing can be sent on it.",
        "no text: the descriptor must be a socket",
        """
        * negotiate with BACKEND_REQ
        ? F>B SET_BACKEND_REQ_FD evt#1
        """,
        rules=("VU-FD-06",),
        meanings=REFUSED_BY_CUSTOM,
        needs=("BACKEND_REQ",),
        ours=("VU-FD-06",),
        ours_perhaps=("VU-FD-11",),
    ),
    Case(
        "FDS-12",
        "the descriptors of 30 sessions",
        "After the last session the process holds no more descriptors than after the first.",
        "no text: a process that leaks descriptors ends",
        """
        * 1 sessions
        * count descriptors
        * 30 sessions
        * no more descriptors
        """,
        rules=("VU-FD-08",),
        needs=("data", "reconnect", "serving"),
    ),
)
