"""The channel on which the back-end asks."""

from vudissect.check.model import EITHER, REFUSED, Case

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
    Case(
        "CHN-02",
        "the front-end closes its end of the channel",
        "Requests are done as before: only what the back-end would ask is lost.",
        "Back-end communication; no text on a channel that is closed",
        """
        * negotiate with BACKEND_REQ
        * memory
        F>B SET_BACKEND_REQ_FD sock#1
        * start
        * request
        * close the channel
        * request
        * settled
        """,
        rules=("VU-BEC-02",),
        needs=("BACKEND_REQ", "data"),
        ours_perhaps=("VU-BEC-02",),
    ),
    Case(
        "CHN-03",
        "the front-end writes 64 bytes of nonsense to the channel",
        "The process lives: the channel may be closed, or the connection.",
        "Back-end communication; no text on answers that nobody asked for",
        """
        * negotiate with BACKEND_REQ
        F>B SET_BACKEND_REQ_FD sock#1
        * write nonsense to the channel
        * settled
        """,
        rules=("VU-BEC-01",),
        needs=("BACKEND_REQ",),
    ),
    Case(
        "CHN-04",
        "SET_BACKEND_REQ_FD with a pipe, as User-Mode Linux passes it",
        "It is accepted or refused; the process lives.",
        "VHOST_USER_SET_BACKEND_REQ_FD: set the socket file descriptor; no text on other kinds",
        """
        * negotiate with BACKEND_REQ
        ? F>B SET_BACKEND_REQ_FD pipe#1
        * settled
        """,
        rules=("VU-FD-11",),
        meanings=EITHER,
        needs=("BACKEND_REQ",),
        ours=("VU-FD-11",),
        ours_perhaps=("VU-FD-06",),
    ),
    Case(
        "CHN-05",
        "SET_BACKEND_REQ_FD without a descriptor",
        "It is refused: there is no socket.",
        "VHOST_USER_SET_BACKEND_REQ_FD: the socket is passed in the ancillary data",
        """
        * negotiate with BACKEND_REQ
        ? F>B SET_BACKEND_REQ_FD
        """,
        rules=("VU-FD-02",),
        meanings=REFUSED,
        needs=("BACKEND_REQ",),
        ours=("VU-FD-02",),
    ),
    Case(
        "CHN-07",
        "the configuration changes while all rings are stopped",
        "CONFIG_CHANGE_MSG does not come: the device is suspended.",
        "Suspended device state: the device must not send messages to the front-end",
        """
        * negotiate with BACKEND_REQ
        F>B SET_BACKEND_REQ_FD sock#1
        * memory
        * start
        * request
        * stop
        * the device grows
        * CONFIG_CHANGE_MSG does not come on the channel
        """,
        needs=("BACKEND_REQ", "CONFIG", "data", "directed"),
        device="blk",
        fresh=True,
    ),
    Case(
        "CHN-09",
        "rings are started, and HOST_NOTIFIER is not negotiated",
        "VRING_HOST_NOTIFIER_MSG does not come.",
        "VHOST_USER_BACKEND_VRING_HOST_NOTIFIER_MSG: only with VHOST_USER_PROTOCOL_F_HOST_NOTIFIER",
        """
        * negotiate with BACKEND_REQ BACKEND_SEND_FD without HOST_NOTIFIER
        F>B SET_BACKEND_REQ_FD sock#1
        * memory
        * start
        * request
        * VRING_HOST_NOTIFIER_MSG does not come on the channel
        """,
        rules=("VU-NEG-06",),
        needs=("HOST_NOTIFIER", "BACKEND_SEND_FD", "BACKEND_REQ", "data"),
    ),
    Case(
        "CHN-10",
        "rings are started, and HOST_NOTIFIER is negotiated",
        "If VRING_HOST_NOTIFIER_MSG comes, it is about whole pages.",
        "VHOST_USER_BACKEND_VRING_HOST_NOTIFIER_MSG: the page size of the area",
        """
        * negotiate with BACKEND_REQ BACKEND_SEND_FD HOST_NOTIFIER
        F>B SET_BACKEND_REQ_FD sock#1
        * memory
        * start
        * request
        * host notifiers are whole pages
        """,
        needs=("HOST_NOTIFIER", "BACKEND_SEND_FD", "BACKEND_REQ", "data"),
    ),
)
