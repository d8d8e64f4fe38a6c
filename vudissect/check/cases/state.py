"""The state of the device, for migration."""

from vudissect.check.model import REFUSED, REFUSED_BY_CUSTOM, Behaviour, Case, Verdict

_SET = "VHOST_USER_SET_DEVICE_STATE_FD"
_CHECK = "VHOST_USER_CHECK_DEVICE_STATE: must be sent after the whole state was transferred"

_BROKEN = {**REFUSED_BY_CUSTOM, Behaviour.ANSWERED: Verdict.NON_STRICT}

CASES = (
    Case(
        "DST-01",
        "the state is saved into a pipe, and checked",
        "Bytes come, then the end of the pipe, and the check is 0.",
        _CHECK,
        """
        * negotiate with DEVICE_STATE
        F>B SET_DEVICE_STATE_FD save stopped pipe#1
        * read the state
        F>B CHECK_DEVICE_STATE
        B>F CHECK_DEVICE_STATE ok
        """,
        rules=("VU-DST-01",),
        needs=("DEVICE_STATE",),
    ),
    Case(
        "DST-02",
        "SET_DEVICE_STATE_FD while a ring runs",
        "It is refused: all rings must be stopped.",
        f"{_SET}: the back-end must be in the suspended state",
        """
        * negotiate with DEVICE_STATE
        * memory
        * start
        * request
        ? F>B SET_DEVICE_STATE_FD save stopped pipe#1
        """,
        rules=("VU-DST-01",),
        meanings=REFUSED,
        needs=("DEVICE_STATE", "data"),
        ours=("VU-DST-01",),
    ),
    Case(
        "DST-03",
        "the state is saved, and loaded by the next session",
        "Both are checked with 0, and the ring works afterwards.",
        f"{_SET}; {_CHECK}",
        """
        * negotiate with DEVICE_STATE
        F>B SET_DEVICE_STATE_FD save stopped pipe#1
        * read the state
        F>B CHECK_DEVICE_STATE
        * close
        * connect
        * negotiate with DEVICE_STATE
        F>B SET_DEVICE_STATE_FD load stopped pipe#2 (to read)
        * write the state
        F>B CHECK_DEVICE_STATE
        B>F CHECK_DEVICE_STATE ok
        * memory
        * start
        * request
        """,
        rules=("VU-DST-01",),
        needs=("DEVICE_STATE", "data", "reconnect"),
    ),
    Case(
        "DST-04",
        "a state of 16 bytes that nobody saved is loaded",
        "The check is not 0: such a state cannot be loaded.",
        f"{_CHECK}; the back-end reports whether the transfer was successful",
        """
        * negotiate with DEVICE_STATE
        F>B SET_DEVICE_STATE_FD load stopped pipe#1 (to read)
        * write garbage for the state
        ? F>B CHECK_DEVICE_STATE
        """,
        rules=("VU-DST-01",),
        meanings=_BROKEN,
        needs=("DEVICE_STATE",),
    ),
    Case(
        "DST-05",
        "SET_DEVICE_STATE_FD with direction 2",
        "It is refused: 0 saves, 1 loads.",
        "Device state transfer parameters: direction",
        """
        * negotiate with DEVICE_STATE
        ? F>B SET_DEVICE_STATE_FD direction=2 phase=0 pipe#1
        """,
        rules=("VU-DST-02",),
        meanings=_BROKEN,
        needs=("DEVICE_STATE",),
        ours=("VU-DST-02",),
    ),
    Case(
        "DST-06",
        "SET_DEVICE_STATE_FD with phase 1",
        "It is refused: there is only phase 0, stopped.",
        "Device state transfer parameters: phase",
        """
        * negotiate with DEVICE_STATE
        ? F>B SET_DEVICE_STATE_FD direction=0 phase=1 pipe#1
        """,
        rules=("VU-DST-02",),
        meanings=_BROKEN,
        needs=("DEVICE_STATE",),
        ours=("VU-DST-02",),
    ),
    Case(
        "DST-07",
        "nobody reads the state: the pipe is closed at once",
        "The process lives: SIGPIPE must not end it.",
        f"{_SET}; no text on a pipe that nobody reads",
        """
        * negotiate with DEVICE_STATE
        * close the pipe for the state
        F>B SET_DEVICE_STATE_FD save stopped pipe#1
        * settled
        """,
        rules=("VU-DST-01",),
        needs=("DEVICE_STATE",),
    ),
    Case(
        "DST-08",
        "CHECK_DEVICE_STATE, though no state was transferred",
        "It is refused, or answered; the process lives.",
        f"{_CHECK}; no text on a check without one",
        """
        * negotiate with DEVICE_STATE
        ? F>B CHECK_DEVICE_STATE
        """,
        rules=("VU-DST-01",),
        meanings={**REFUSED, Behaviour.ANSWERED: Verdict.INFORMATIONAL},
        needs=("DEVICE_STATE",),
        ours_perhaps=("VU-DST-01",),
    ),
)
