"""Guest memory as front-ends use it: replaced, moved, in several regions; and what is left of it."""

from vudissect.check.memory import page_region
from vudissect.check.model import EITHER, REFUSED, REFUSED_BY_CUSTOM, Behaviour, Case, Verdict

_TABLE = "VHOST_USER_SET_MEM_TABLE"
_ADD = "VHOST_USER_ADD_MEM_REG"
_REMOVE = "VHOST_USER_REM_MEM_REG"
_ACCESS = "Memory access"
_GPA = "VHOST_USER_PROTOCOL_F_GPA_ADDRESSES (QEMU 11.1)"
_NO_TEXT = "no text on what a back-end does with it"
_SLOTS = ("CONFIGURE_MEM_SLOTS",)
_ONE_REGION = bytes(8) + (0x10000).to_bytes(8, "little") + (0x7F00_0000_0000).to_bytes(8, "little") + bytes(8)


def _table(announced: int) -> str:
    """A table that has one region, whatever it announces."""
    payload = announced.to_bytes(4, "little") + bytes(4) + _ONE_REGION
    return f"F>B SET_MEM_TABLE payload={payload.hex()} mem#a (memfd a 64K)"


CASES = (
    Case(
        "MEM-17",
        "a memory table is replaced by another one",
        "The old memory is unmapped: a guest that gave it back must not find it in use.",
        f"{_TABLE}: sets the memory map regions on the back-end",
        """
        * negotiate
        F>B SET_MEM_TABLE 0+64K at 0x7e0000000000 mem#old (memfd old 64K)
        * memory
        * nothing of old is mapped
        """,
        rules=("VU-MEM-08",),
        needs=("serving",),
    ),
    Case(
        "MEM-18",
        "a page is added and removed 100 times",
        "Nothing of it is mapped in the end.",
        f"{_REMOVE}: the back-end must ensure that it does not access any removed memory",
        """
        * negotiate
        * add and remove a page 100 times
        * nothing of page is mapped
        """,
        rules=("VU-MEM-06", "VU-MEM-07"),
        needs=("serving", *_SLOTS),
    ),
    Case(
        "MEM-19",
        "all memory slots are filled, then comes a memory table",
        "It is accepted or refused; the process lives.",
        f"{_TABLE}; no text on both kinds of messages in one session",
        f"""
        * negotiate
        * fill the memory slots
        ? F>B SET_MEM_TABLE {page_region(1000)} mem#pages
        * settled
        """,
        rules=("VU-MEM-06",),
        meanings=EITHER,
        needs=_SLOTS,
        ours_perhaps=("VU-MEM-06", "VU-MEM-12", "VU-MEM-14"),
    ),
    Case(
        "MEM-20",
        "the file of a region becomes shorter, and a request has its buffers in what is gone",
        "The process lives: it serves other front-ends, too. Most are killed by SIGBUS.",
        f"{_TABLE}; no text on files that change; seals would prevent it, and back-ends do not ask for them",
        """
        * negotiate
        * memory that can shrink
        * start
        * request
        ? * a request in memory that is gone
        """,
        meanings={Behaviour.FAILED: Verdict.INFORMATIONAL},
        needs=("data", "process"),
    ),
    Case(
        "MEM-21",
        "the memory of a region must not be written: the memfd has the seal for that",
        "It is refused: it cannot be mapped for writing.",
        f"{_TABLE}; {_NO_TEXT}",
        """
        * negotiate
        ? F>B SET_MEM_TABLE 0+64K at 0x7f0000000000 mem#a (memfd a 64K seals 0x8)
        """,
        rules=("VU-FD-06",),
        meanings=REFUSED_BY_CUSTOM,
        ours=("VU-FD-06",),
    ),
    Case(
        "MEM-22",
        "the memory of a region cannot shrink or grow: the memfd has the seals for that",
        "It is accepted: this is how careful front-ends pass memory.",
        f"{_TABLE}; no text on seals",
        """
        * negotiate
        F>B SET_MEM_TABLE 0+64K at 0x7f0000000000 mem#a (memfd a 64K seals 0x7)
        """,
        rules=("VU-MEM-01",),
    ),
    Case(
        "MEM-24",
        "a buffer begins in one region and ends in the next one",
        "The request is done: both are next to each other in guest memory.",
        f"{_ACCESS}: guest addresses map to the region containing that guest address",
        """
        * negotiate
        * memory in two regions
        * start
        * request
        """,
        rules=("VU-MEM-05",),
        needs=("data",),
    ),
    Case(
        "MEM-25",
        "GPA_ADDRESSES: the user address of a region is its guest address",
        "Rings are found by guest addresses.",
        _GPA,
        """
        * negotiate with GPA_ADDRESSES
        * memory at 0
        * start
        * request
        """,
        needs=("data", "GPA_ADDRESSES"),
        ours_perhaps=("VU-MEM-13",),
    ),
    Case(
        "MEM-26",
        "a memory table with the fields for Xen, though XEN_MMAP is not negotiated",
        "It is refused: regions have 32 bytes then, not 40.",
        "Memory regions description",
        """
        * negotiate without XEN_MMAP
        ? F>B SET_MEM_TABLE (memory table (Xen)) 0+64K at 0x7f0000000000 mem#a (memfd a 64K)
        """,
        rules=("VU-MEM-10",),
        meanings=REFUSED,
        ours=("VU-MEM-10",),
    ),
    Case(
        "MEM-27",
        "user addresses that no process of Linux has",
        "The ring works: they are only compared, never used.",
        f"{_ACCESS}: user addresses are virtual addresses in the front-end's address space",
        """
        * negotiate
        * memory at 0xffff800000000000
        * start
        * request
        """,
        rules=("VU-MEM-05",),
        needs=("data",),
    ),
    Case(
        "MEM-28",
        "GPA_ADDRESSES, and a region whose user address is another one",
        "It is refused: both must be the same.",
        _GPA,
        """
        * negotiate with GPA_ADDRESSES
        ? F>B SET_MEM_TABLE 0+64K at 0x7f0000000000 mem#a (memfd a 64K)
        """,
        meanings=REFUSED_BY_CUSTOM,
        needs=("GPA_ADDRESSES",),
        ours_perhaps=("VU-MEM-13", "VU-MEM-14", "VU-MEM-15"),
    ),
    Case(
        "MEM-29",
        "a memory table that announces 2 regions and has the bytes of one",
        "It is refused.",
        "Memory regions description: num regions",
        f"""
        * negotiate
        ? {_table(2)}
        """,
        rules=("VU-MEM-10",),
        meanings=REFUSED,
        ours=("VU-MEM-10",),
    ),
    Case(
        "MEM-30",
        "a memory table that announces 4 294 967 295 regions",
        "It is refused at once, and nothing is allocated for them.",
        "Memory regions description: num regions",
        f"""
        * negotiate
        ? {_table(0xFFFF_FFFF)}
        """,
        rules=("VU-MEM-10",),
        meanings=REFUSED,
        ours=("VU-MEM-10",),
    ),
    Case(
        "MEM-31",
        "ADD_MEM_REG without a descriptor",
        "It is refused: there is nothing to map.",
        f"{_ADD}: the file descriptor of the memory region is passed",
        """
        * negotiate
        ? F>B ADD_MEM_REG 0+64K at 0x7f0000000000
        """,
        rules=("VU-FD-02",),
        meanings=REFUSED,
        needs=_SLOTS,
        ours=("VU-FD-02",),
    ),
    Case(
        "MEM-32",
        "REM_MEM_REG of the memory in which a ring runs",
        "It is accepted or refused; the process lives.",
        f"{_REMOVE}; {_NO_TEXT}",
        """
        * negotiate
        * add memory
        * start
        * request
        ? * remove memory
        * kick
        * settled
        """,
        rules=("VU-MEM-08",),
        meanings=EITHER,
        needs=("data", *_SLOTS),
        ours_perhaps=("VU-MEM-08", "VU-MEM-05", "VU-VRG-05"),
    ),
    Case(
        "MEM-33",
        "ADD_MEM_REG of a region that overlaps with half of another one",
        "It is refused: a guest address must mean one place.",
        f"{_ACCESS}; {_NO_TEXT}",
        """
        * negotiate
        F>B ADD_MEM_REG 0+64K at 0x7f0000000000 mem#a (memfd a 64K)
        ? F>B ADD_MEM_REG 32K+64K at 0x7e0000000000 mem#b (memfd b 64K)
        """,
        rules=("VU-MEM-02",),
        meanings=REFUSED_BY_CUSTOM,
        needs=_SLOTS,
        ours=("VU-MEM-02",),
    ),
    Case(
        "MEM-34",
        "a region whose guest addresses go on at 0",
        "It is refused: there are no guest addresses beyond 64 bits.",
        f"{_TABLE}; {_NO_TEXT}",
        """
        * negotiate
        ? F>B SET_MEM_TABLE 0xffffffffffff8000+64K at 0x7f0000000000 mem#a (memfd a 64K)
        """,
        rules=("VU-MEM-05",),
        meanings=REFUSED_BY_CUSTOM,
        ours_perhaps=("VU-MEM-03", "VU-MEM-04", "VU-MEM-05"),
    ),
    Case(
        "MEM-35",
        "the memory is removed and added again at another user address",
        "A ring in it works.",
        f"{_ADD}; {_REMOVE}",
        """
        * negotiate
        * add memory
        * remove memory
        * add memory at 0x7d0000000000
        * start
        * request
        """,
        rules=("VU-MEM-06", "VU-MEM-07"),
        needs=("data", *_SLOTS),
    ),
    Case(
        "MEM-36",
        "two regions with a hole between them",
        "A request whose buffers are in the second one, after 4 GiB, is done.",
        f"{_ACCESS}: guest addresses map to the region containing that guest address",
        """
        * negotiate
        * memory in two regions, the second one high
        * start
        * request
        """,
        rules=("VU-MEM-05",),
        needs=("data",),
    ),
    Case(
        "MEM-37",
        "REM_MEM_REG of a region of another size",
        "It is refused: guest address, user address and size must match.",
        f"{_REMOVE}: the region is identified by guest address, user address and size",
        """
        * negotiate
        F>B ADD_MEM_REG 0+64K at 0x7f0000000000 mem#a (memfd a 64K)
        ? F>B REM_MEM_REG 0+32K at 0x7f0000000000
        """,
        rules=("VU-MEM-07",),
        meanings=REFUSED,
        needs=_SLOTS,
        ours=("VU-MEM-07",),
    ),
)
