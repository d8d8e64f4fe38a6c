"""Guest memory: regions that are mapped, and regions that cannot be."""

from vudissect.check.memory import page_region
from vudissect.check.model import EITHER, REFUSED, REFUSED_BY_CUSTOM, Behaviour, Case, Verdict

_TABLE = "VHOST_USER_SET_MEM_TABLE"
_ADD = "VHOST_USER_ADD_MEM_REG"
_REMOVE = "VHOST_USER_REM_MEM_REG"
_NO_TEXT = "no text on what a back-end does with it"


def _table(count: int) -> str:
    regions = ", ".join(page_region(number).partition(" file+")[0] for number in range(count))
    return f"F>B SET_MEM_TABLE {regions} " + " ".join(f"mem#{n} (memfd m{n} 4K)" for n in range(count))


CASES = (
    Case(
        "MEM-01",
        "SET_MEM_TABLE with 8 regions",
        "It is accepted: every back-end has room for 8 regions.",
        "Memory regions description: region0 to region7",
        f"""
        * negotiate
        {_table(8)}
        """,
        rules=("VU-MEM-01",),
    ),
    Case(
        "MEM-02",
        "SET_MEM_TABLE with 9 regions and 9 descriptors",
        "It is refused.",
        "Memory regions description: region0 to region7",
        f"""
        * negotiate
        ? {_table(9)}
        """,
        rules=("VU-MEM-01",),
        meanings=REFUSED_BY_CUSTOM,
        ours_perhaps=("VU-FD-01", "VU-FD-05", "VU-HDR-08", "VU-MEM-01"),
    ),
    Case(
        "MEM-03",
        "SET_MEM_TABLE without regions",
        "It is accepted or refused.",
        f"{_TABLE}; {_NO_TEXT}",
        """
        * negotiate
        ? F>B SET_MEM_TABLE no regions
        """,
        rules=("VU-MEM-01",),
        meanings=EITHER,
        ours=("VU-MEM-01",),
    ),
    Case(
        "MEM-04",
        "two regions that overlap in guest memory",
        "It is refused: a guest address must mean one place.",
        f"Memory access: guest addresses map to the region containing that guest address; {_NO_TEXT}",
        """
        * negotiate
        ? F>B SET_MEM_TABLE 0+64K at 0x7f0000000000, 32K+64K at 0x7f1000000000 mem#a (memfd a 64K) mem#b (memfd b 64K)
        """,
        rules=("VU-MEM-02",),
        meanings=REFUSED_BY_CUSTOM,
        ours=("VU-MEM-02",),
    ),
    Case(
        "MEM-05",
        "a region that ends after the end of its file",
        "It is refused, as whoever touches what is not there is killed by SIGBUS.",
        f"{_TABLE}; {_NO_TEXT}",
        """
        * negotiate
        ? F>B SET_MEM_TABLE 0+1M at 0x7f0000000000 mem#a (memfd a 64K)
        """,
        rules=("VU-FD-10",),
        meanings=REFUSED_BY_CUSTOM,
        ours=("VU-FD-10",),
    ),
    Case(
        "MEM-06",
        "a region that begins within a page of its file",
        "It is accepted or refused: mmap cannot do that alone.",
        f"{_TABLE}; {_NO_TEXT}",
        """
        * negotiate
        ? F>B SET_MEM_TABLE 0+64K at 0x7f0000000000 file+0x800 mem#a (memfd a 1M)
        """,
        rules=("VU-MEM-04",),
        meanings=EITHER,
        ours_perhaps=("VU-MEM-04",),
    ),
    Case(
        "MEM-07",
        "a region of size 0",
        "It is refused: there is nothing to map.",
        f"{_TABLE}; {_NO_TEXT}",
        """
        * negotiate
        ? F>B SET_MEM_TABLE 0+0 at 0x7f0000000000 mem#a (memfd a 64K)
        """,
        rules=("VU-MEM-04",),
        meanings=REFUSED_BY_CUSTOM,
        ours=("VU-MEM-04",),
    ),
    Case(
        "MEM-08",
        "a region whose size and offset exceed 64 bits together",
        "It is refused: there is no such memory.",
        f"{_TABLE}; {_NO_TEXT}",
        """
        * negotiate
        ? F>B SET_MEM_TABLE 0+0xfffffffffffff000 at 0x7f0000000000 file+0x2000 mem#a (memfd a 64K)
        """,
        rules=("VU-MEM-05",),
        meanings=REFUSED,
        ours_perhaps=("VU-FD-10", "VU-MEM-03", "VU-MEM-04", "VU-MEM-05"),
    ),
    Case(
        "MEM-09",
        "the descriptor of a region is an eventfd",
        "It is refused: it cannot be mapped.",
        f"{_TABLE}: for each memory region there is a file descriptor",
        """
        * negotiate
        ? F>B SET_MEM_TABLE 0+64K at 0x7f0000000000 evt#1
        """,
        rules=("VU-FD-06",),
        meanings=REFUSED,
        ours=("VU-FD-06",),
    ),
    Case(
        "MEM-10",
        "the same memory table again, while a ring runs",
        "The ring goes on.",
        "Ring states: while processing the rings, the back-end must support changing some configuration aspects",
        """
        * ready
        * request
        F>B SET_MEM_TABLE 0+16M at 0x7f0000000000 mem#ram
        * request
        """,
        rules=("VU-MEM-08",),
        needs=("data",),
    ),
    Case(
        "MEM-11",
        "memory comes by ADD_MEM_REG",
        "A ring in it works.",
        _ADD,
        """
        * negotiate
        * add memory
        * start
        * request
        """,
        rules=("VU-MEM-06",),
        needs=("data", "CONFIGURE_MEM_SLOTS"),
    ),
    Case(
        "MEM-12",
        "REM_MEM_REG of a region that is not there",
        "It is refused: there is nothing to remove.",
        _REMOVE,
        """
        * negotiate
        * add memory
        ? F>B REM_MEM_REG 0x40000000+16M at 0x7e0000000000
        """,
        rules=("VU-MEM-07",),
        meanings=REFUSED,
        needs=("CONFIGURE_MEM_SLOTS",),
        ours=("VU-MEM-07",),
    ),
    Case(
        "MEM-13",
        "REM_MEM_REG with a descriptor, as QEMU 7.0 sends it",
        "The region is removed, and the descriptor closed.",
        f"{_REMOVE}: no file descriptors should be passed; back-ends may accept one, and must close it",
        """
        * negotiate
        * count descriptors
        F>B ADD_MEM_REG 0+16M at 0x7f0000000000 mem#ram (memfd ram 16M)
        ? F>B REM_MEM_REG 0+16M at 0x7f0000000000 mem#ram
        * no more descriptors
        """,
        rules=("VU-FD-07",),
        meanings={
            Behaviour.ACKNOWLEDGED: Verdict.PASS,
            Behaviour.IGNORED: Verdict.PASS,
            Behaviour.REFUSED: Verdict.NON_STRICT,
            Behaviour.CLOSED: Verdict.NON_STRICT,
        },
        needs=("CONFIGURE_MEM_SLOTS", "serving"),
        ours_perhaps=("VU-FD-01", "VU-FD-07"),
    ),
    Case(
        "MEM-14",
        "one region more than the back-end has slots for",
        "It is refused.",
        "VHOST_USER_GET_MAX_MEM_SLOTS",
        f"""
        * negotiate
        * fill the memory slots
        ? F>B ADD_MEM_REG {page_region(1000)} mem#pages
        """,
        rules=("VU-MEM-06",),
        meanings=REFUSED,
        needs=("CONFIGURE_MEM_SLOTS",),
        ours=("VU-MEM-06",),
    ),
    Case(
        "MEM-15",
        "the same region is added twice",
        "It is refused: a guest address must mean one place.",
        f"{_ADD}; {_NO_TEXT}",
        """
        * negotiate
        * add memory
        ? F>B ADD_MEM_REG 0+16M at 0x7f0000000000 mem#ram
        """,
        rules=("VU-MEM-02",),
        meanings=REFUSED_BY_CUSTOM,
        needs=("CONFIGURE_MEM_SLOTS",),
        ours=("VU-MEM-02",),
        ours_perhaps=("VU-MEM-03", "VU-MEM-13"),
    ),
    Case(
        "MEM-16",
        "ADD_MEM_REG with 36 bytes, as QEMU 5.1 sends it",
        "It is refused: 40 bytes are specified, and the fields are elsewhere.",
        "Single memory region description",
        """
        * negotiate
        ? F>B ADD_MEM_REG (memory region description (short)) 0+16M at 0x7f0000000000 mem#a (memfd a 16M)
        """,
        rules=("VU-MEM-11",),
        meanings=REFUSED,
        needs=("CONFIGURE_MEM_SLOTS",),
        ours=("VU-MEM-11",),
    ),
)
