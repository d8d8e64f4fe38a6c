"""The channel on which the back-end asks."""

from vudissect.check.model import Case

CASES = (
    Case(
        "CHN-01",
        "SET_BACKEND_REQ_FD, and then another one",
        "The first socket is closed.",
        "Back-end communication; no text on a second socket",
        """
        * negotiate with BACKEND_REQ
        F>B SET_BACKEND_REQ_FD sock#1
        F>B SET_BACKEND_REQ_FD sock#2
        * the first channel is closed
        """,
        rules=("VU-BEC-03",),
        needs=("BACKEND_REQ",),
        ours=("VU-BEC-03",),
    ),
)
