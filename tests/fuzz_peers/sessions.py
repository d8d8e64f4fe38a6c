"""A session to change: a disk with a ring."""

from vudissect.fuzz.steps import Steps, described, read_steps

RAM = described("mem", "1", "memfd ram 16M")

TALK = """
F>B GET_FEATURES
F>B SET_OWNER
F>B SET_FEATURES features=0x140000000
F>B SET_MEM_TABLE region0 0x0+16M at 0x7f0000000000 mem#1 (memfd ram 16M)
F>B SET_VRING_NUM ring 0 num=16
F>B SET_VRING_BASE ring 0 num=3
F>B SET_VRING_ADDR ring 0 desc=0x7f0000001000 avail=0x7f0000002000 used=0x7f0000003000
F>B SET_VRING_KICK ring 0 evt#2
F>B SET_VRING_ENABLE ring 0 enable
--- closed by front-end
"""


def a_session() -> Steps:
    return read_steps(TALK)


def a_packed_session() -> Steps:
    """The same with a packed ring, whose base is the third descriptor of the first lap."""
    return read_steps(TALK.replace("features=0x140000000", "features=0x540000000").replace("num=3", "num=0x8003"))
