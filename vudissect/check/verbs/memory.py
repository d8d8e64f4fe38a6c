"""Guest memory: how it is passed, and what the process has mapped of it."""

import os
import resource
import time
from contextlib import suppress
from pathlib import Path

from vudissect.check.memory import GUEST_ADDRESS, RAM, SECOND_HALF, SIZE, page_region
from vudissect.check.model import Behaviour
from vudissect.check.outcome import Life
from vudissect.check.room import Room
from vudissect.check.stage import DeviationError
from vudissect.check.verbs.registry import verb

_SOON = 0.2
_LOOK_EVERY = 0.002
_HIGH = 1 << 32
_OTHER_REGION = 0x7C00_0000_0000


@verb(
    r"memory(?: at (\w+))?",
    "SET_MEM_TABLE with one region of 16 MiB, mem#ram, in which all rings and buffers are; at another user address",
)
def memory(room: Room, user_address: str | None = None) -> None:
    """One region."""
    if user_address is not None:
        room.arena.user_address = int(user_address, 0)
    room.stage.ask(f"F>B SET_MEM_TABLE {region(room)} {room.ram}")


@verb(r"memory that can shrink", "the same, but mem#ram does not have the seal against that, which QEMU sets")
def loose_memory(room: Room) -> None:
    """As memory from a file has none."""
    room.stage.objects.give(RAM._replace(seals=0))
    memory(room)


@verb(
    r"memory in two regions(, the second one high)?",
    "SET_MEM_TABLE with two regions of mem#ram; a buffer of the next request is in both of them, or its buffers in"
    " the second one, which is after the first 4 GiB",
)
def two_regions(room: Room, high: str | None) -> None:
    """The rings are in the first one."""
    guest = _HIGH if high else GUEST_ADDRESS + SECOND_HALF
    ram = room.ram
    room.arena.split(guest)
    room.stage.ask(
        f"F>B SET_MEM_TABLE {GUEST_ADDRESS}+{SECOND_HALF >> 20}M at {room.arena.user_address:#x},"
        f" {guest:#x}+{(SIZE - SECOND_HALF) >> 20}M at {_OTHER_REGION:#x} file+{SECOND_HALF:#x} {ram} mem#ram"
    )


@verb(r"add memory(?: at (\w+))?", "the same with ADD_MEM_REG; at another user address")
def add_memory(room: Room, user_address: str | None = None) -> None:
    """One region, added."""
    if user_address is not None:
        room.arena.user_address = int(user_address, 0)
    room.stage.ask(f"F>B ADD_MEM_REG {region(room)} {room.ram}")


@verb(
    r"a memory table without room for its descriptor",
    "the process may open no more descriptors until SET_MEM_TABLE is answered",
)
def without_room(room: Room) -> None:
    """By the limit of the process, which it has again afterwards."""
    stage, pid = room.stage, room.backend.pid
    room.barrier()
    limit = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (_lowest_free(pid), limit[1]))
    try:
        sent = stage.say(f"F>B SET_MEM_TABLE {region(room)} {room.ram}")
        behaviour = stage.behaviour(sent, stage.reply_to(sent))
    finally:
        with suppress(ProcessLookupError):
            resource.prlimit(pid, resource.RLIMIT_NOFILE, limit)
    raise DeviationError(behaviour, f"{sent.name} is {behaviour}")


def _lowest_free(pid: int) -> int:
    """The number of the next descriptor that a process opens."""
    taken = {int(name) for name in os.listdir(f"/proc/{pid}/fd")}
    return next(number for number in range(len(taken) + 1) if number not in taken)


@verb(r"remove memory", "REM_MEM_REG of this region")
def remove_memory(room: Room) -> None:
    """The one that was added."""
    room.stage.ask(f"F>B REM_MEM_REG {region(room)}")


@verb(r"fill the memory slots", "adds regions until the back-end has no slots left")
def fill_slots(room: Room) -> None:
    """Pages of one memfd."""
    for number in range(room.stage.state().memory_slots or 0):
        about = " (memfd pages 8M)" if not number else ""
        room.stage.ask(f"F>B ADD_MEM_REG {page_region(number)} mem#pages{about}")


@verb(r"add and remove a page (\d+) times", "ADD_MEM_REG and REM_MEM_REG of one page of mem#page, so often")
def add_and_remove(room: Room, count: str) -> None:
    """Nothing is left of it."""
    for number in range(int(count)):
        about = " (memfd page 4K)" if not number else ""
        room.stage.ask(f"F>B ADD_MEM_REG {page_region(0)} mem#page{about}")
        room.stage.ask(f"F>B REM_MEM_REG {page_region(0)}")


@verb(r"nothing of (\w+) is mapped", "the process has no map of the memory of this name, soon after an answer")
def not_mapped(room: Room, name: str) -> None:
    """By /proc."""
    room.barrier()
    deadline = time.monotonic() + _SOON
    while count := _maps(room.backend.pid, name):
        if time.monotonic() > deadline:
            raise DeviationError(Behaviour.FAILED, f"the process still has {count} maps of {name}")
        room.stage.clock.sleep(_LOOK_EVERY)


@verb(
    r"a request in memory that is gone",
    "a request whose buffers are at the end of mem#ram, which is made shorter before that; the process lives"
    " until it is done, or for as long as one may take",
)
def shrink(room: Room) -> None:
    """Nothing is read there from here on: we would be killed, too."""
    stage, queue, path = room.stage, room.queue(), room.path
    assert path is not None  # cases that move data need it
    room.arena.go_on_at(SECOND_HALF)
    buffers = path.request(room.arena).buffers
    # Before it is in the ring: some look there without a kick.
    os.ftruncate(stage.objects.give(RAM), SECOND_HALF)
    queue.submit(buffers, lambda _: "")
    queue.kick()
    deadline = stage.deadline
    while time.monotonic() < deadline and queue.collect():
        if room.backend.life().life is not Life.ALIVE:
            raise DeviationError(Behaviour.FAILED, "the process does not survive it")
        stage.clock.sleep(_LOOK_EVERY)


def _maps(pid: int, name: str) -> int:
    with suppress(OSError):
        return Path(f"/proc/{pid}/maps").read_text().count(f"memfd:{name} ")
    return 0


def region(room: Room) -> str:
    """The memory as one region, as in a talk."""
    return f"{GUEST_ADDRESS}+{SIZE >> 20}M at {room.arena.user_address:#x}"
