"""The life of connections and of the process."""

from vudissect.check.model import EITHER, Behaviour, Case, Verdict

_DISABLED = "Ring states: started but disabled"
_HALF_A_TABLE = "F>B SET_MEM_TABLE 0+64K at 0x7f0000000000 mem#a (memfd a 64K) cut_short=20"
_RESET = "VHOST_USER_RESET_DEVICE: disable all rings and reset all internal device state"

_SIGNALLED = {Behaviour.FAILED: Verdict.NON_STRICT}
"""IGNORED is that it goes on; FAILED, that it ends with another status."""

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
        F>B SET_FEATURES features={features}
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
        "VHOST_USER_RESET_OWNER: deprecated; it is recommended to ignore it, or to disable all rings",
        """
        * ready
        * request
        F>B RESET_OWNER
        ? * enable
        ? * request
        """,
        rules=("VU-DRF-06",),
        meanings={Behaviour.FAILED: Verdict.NON_STRICT, Behaviour.REFUSED: Verdict.NON_STRICT},
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
        meanings=_SIGNALLED,
    ),
    Case(
        "LIF-08",
        "the memory of a session that has ended",
        "It is unmapped: a guest that is gone must not keep its memory.",
        "no text: front-ends come and go",
        """
        * ready
        * request
        * close
        * connect
        * nothing of ram is mapped
        """,
        rules=("VU-FD-08",),
        needs=("data", "reconnect", "serving"),
    ),
    Case(
        "LIF-10",
        "200 questions, and the connection is closed before any answer is read",
        "The process lives, and the next session works.",
        "no text: a front-end may end at any moment",
        """
        * negotiate
        * ask 200 times
        * close
        * connect
        * ready
        * request
        """,
        rules=("VU-TIM-02",),
        needs=("data", "reconnect"),
    ),
    Case(
        "LIF-11",
        "SIGTERM while a session has a request in a disabled ring",
        "The process ends within 2 s, with exit status 0.",
        "Backend program conventions: SIGTERM should terminate the program; no text on the exit status",
        """
        * negotiate
        * memory
        * configure
        * give descriptors
        * submit
        * kick
        ? * SIGTERM ends it
        """,
        needs=("process", "data", "PROTOCOL_FEATURES"),
        meanings=_SIGNALLED,
        ours_perhaps=("VU-VRG-09",),
    ),
    Case(
        "LIF-13",
        "the front-end closes one half of the connection: it sends nothing more",
        "The connection is closed, as no more can come; the process does not spin, and the next session works.",
        "no text: a front-end may end at any moment",
        """
        * ready
        * request
        * close one half
        * settled
        * close
        * connect
        * ready
        * request
        """,
        rules=("VU-TIM-02",),
        needs=("data", "reconnect"),
    ),
    *(
        Case(
            f"LIF-{number}",
            f"the connection is closed after {after}",
            "The next session works, and the process holds no more descriptors than before.",
            "no text: a front-end may end at any moment",
            f"""
            * count descriptors
            {talk}
            * close
            * connect
            * no more descriptors
            * ready
            * request
            """,
            rules=("VU-TIM-02", "VU-FD-08"),
            needs=("data", "reconnect", "serving"),
            ours_perhaps=("VU-END-01", "VU-HDR-07", "VU-HDR-09", "VU-VRG-09"),
        )
        for number, (after, talk) in enumerate(
            (
                ("the first question, whose answer is not read", "* ask 1 times"),
                ("the negotiation", "* negotiate"),
                ("the memory table", "* negotiate\n* memory"),
                ("half of a memory table", f"* negotiate\n{_HALF_A_TABLE}"),
                ("the addresses of a ring", "* negotiate\n* memory\n* configure"),
                ("the descriptors of a ring", "* negotiate\n* memory\n* configure\n* give descriptors"),
                ("a request, whose end is not waited for", "* ready\n* submit\n* kick"),
                ("20 requests, whose end is not waited for", "* ready\n* submit 20\n* kick"),
                ("the rings are stopped", "* ready\n* request\n* stop"),
            ),
            20,
        )
    ),
)
