"""Postcopy migration: the guest runs before its memory has come."""

from vudissect.check.model import REFUSED_BY_CUSTOM, Case

_ADVISE = "VHOST_USER_POSTCOPY_ADVISE: the back-end must open a userfaultfd"
_LISTEN = "VHOST_USER_POSTCOPY_LISTEN"
_TABLE = (
    "VHOST_USER_SET_MEM_TABLE: in postcopy mode the reply has the addresses of the back-end, and an empty one ends it"
)
_END = "VHOST_USER_POSTCOPY_END: always answered"


def _case(case: str, title: str, expected: str, section: str, talk: str, *needs: str, rule: str = "VU-PCP-01") -> Case:
    judged = talk.startswith("? ")
    return Case(
        case,
        title,
        expected,
        section,
        "\n".join(["* negotiate with PAGEFAULT", *talk.split("; ")]),
        rules=(rule,),
        meanings=REFUSED_BY_CUSTOM if judged else {},
        needs=("PAGEFAULT", *needs),
        ours=(rule,) if judged else (),
    )


CASES = (
    _case(
        "PCP-01",
        "POSTCOPY_ADVISE",
        "A descriptor comes: a userfaultfd.",
        _ADVISE,
        "F>B POSTCOPY_ADVISE; * a descriptor came",
    ),
    _case(
        "PCP-02",
        "a memory table after POSTCOPY_LISTEN",
        "It comes back with addresses of the back-end, once; an empty table ends the exchange and has no answer.",
        _TABLE,
        "F>B POSTCOPY_ADVISE; F>B POSTCOPY_LISTEN; * memory for postcopy, whose address comes back; * nothing more",
    ),
    _case(
        "PCP-03",
        "a memory table after POSTCOPY_LISTEN, and a ring",
        "The request is done: its pages are there.",
        _TABLE,
        "F>B POSTCOPY_ADVISE; F>B POSTCOPY_LISTEN; * memory for postcopy; * start; * request",
        "data",
    ),
    _case(
        "PCP-04",
        "POSTCOPY_END",
        "It is answered with 0.",
        _END,
        "F>B POSTCOPY_ADVISE; F>B POSTCOPY_LISTEN; * memory for postcopy; F>B POSTCOPY_END; B>F POSTCOPY_END ok",
        rule="VU-PCP-04",
    ),
    _case(
        "PCP-05",
        "POSTCOPY_LISTEN without POSTCOPY_ADVISE",
        "It is refused.",
        f"{_LISTEN}: it always follows POSTCOPY_ADVISE; no text on what a back-end does without",
        "? F>B POSTCOPY_LISTEN",
    ),
    _case(
        "PCP-06",
        "ADD_MEM_REG after POSTCOPY_LISTEN",
        "The region comes back with an address of the back-end, once; an empty one ends the exchange.",
        "VHOST_USER_ADD_MEM_REG: in postcopy mode the reply has the address of the back-end",
        "F>B POSTCOPY_ADVISE; F>B POSTCOPY_LISTEN; * add memory for postcopy; * nothing more",
        "CONFIGURE_MEM_SLOTS",
        rule="VU-PCP-03",
    ),
    _case(
        "PCP-07",
        "a memory table after POSTCOPY_END",
        "It is acknowledged like any other: its addresses do not come back.",
        f"{_END}; {_TABLE}",
        "F>B POSTCOPY_ADVISE; F>B POSTCOPY_LISTEN; * memory for postcopy; F>B POSTCOPY_END; "
        "F>B SET_MEM_TABLE 0+64K at 0x7e0000000000 mem#a (memfd a 64K); B>F SET_MEM_TABLE ok",
        "REPLY_ACK",
    ),
)
