"""The life of connections and of the process."""

from vudissect.check.model import EITHER, Behaviour, Case, Verdict

_DISABLED = "Ring states: started but disabled"
_RESET = "VHOST_USER_RESET_DEVICE: disable all rings and reset all internal device state"

CASES = (
    Case(
        "LIF-01",
        "a second connection beside the first",
        "It is served, waits or is closed; the first one goes on.",
        "no text",
        """
        F>B GET_FEATURES
        * connect a second time
        ? c2 F>B GET_FEATURES
        F>B GET_FEATURES
        """,
        meanings={
            Behaviour.ANSWERED: Verdict.PASS,
            Behaviour.SILENT: Verdict.PASS,
            Behaviour.CLOSED: Verdict.PASS,
        },
        needs=("reconnect",),
    ),
    Case(
        "LIF-02",
        "20 sessions, one after the other, each with a request",
        "All of them work.",
        "no text: front-ends come and go",
        "* 20 sessions",
        rules=("VU-FD-08",),
        needs=("data", "reconnect"),
    ),
    Case(
        "LIF-03",
        "the connection is closed while a request waits in a disabled ring",
        "The next session works.",
        _DISABLED,
        """
        * negotiate
        * memory
        * configure
        * give descriptors
        * submit
        * kick
        * close
        * connect
        * ready
        * request
        """,
        rules=("VU-VRG-09",),
        needs=("data", "reconnect", "PROTOCOL_FEATURES"),
        ours_perhaps=("VU-VRG-09",),
    ),
    Case(
        "LIF-04",
        "RESET_DEVICE, then a ring without another memory table",
        "The ring works: memory is not part of the state of the device.",
        _RESET,
        """
        * negotiate with RESET_DEVICE
        * memory
        * start
        * request
        * stop
        F>B RESET_DEVICE
        * start again
        * request
        """,
        rules=("VU-DRF-06",),
        needs=("data", "RESET_DEVICE"),
        ours_perhaps=("VU-VRG-05", "VU-VRG-07"),
    ),
    Case(
        "LIF-05",
        "RESET_DEVICE though it is not offered",
        "It is accepted or refused.",
        f"{_RESET}; no text on what a back-end does without",
        """
        * negotiate
        ? F>B RESET_DEVICE
        """,
        rules=("VU-NEG-06",),
        meanings=EITHER,
        needs=("without RESET_DEVICE",),
        ours=("VU-NEG-06",),
    ),
    Case(
        "LIF-06",
        "RESET_OWNER while a ring runs",
        "The connection stays; the ring works when it is enabled again.",
        "VHOST_USER_RESET_OWNER: deprecated; back-ends disable all rings or do nothing",
        """
        * ready
        * request
        F>B RESET_OWNER
        * enable
        * request
        """,
        rules=("VU-DRF-06",),
        needs=("data", "PROTOCOL_FEATURES"),
        ours_perhaps=("VU-DRF-06",),
    ),
    Case(
        "LIF-07",
        "SIGTERM",
        "The process ends within 2 s, with exit status 0.",
        "Backend program conventions: SIGTERM should terminate the program; no text on the exit status",
        """
        F>B GET_FEATURES
        ? * SIGTERM ends it
        """,
        needs=("process",),
        meanings={Behaviour.FAILED: Verdict.FAIL},
    ),
)
