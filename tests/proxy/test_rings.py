"""The observation of rings: a session is played, with real memory and real event descriptors, and looked into."""

import gc
import mmap
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from time import monotonic_ns
from typing import Any

import pytest

from tests.conversation import SECOND, Conversation
from tests.huge_pages import HUGE, huge_memfd, huge_pages, hugetlbfs
from vudissect.capture.observation import Observation
from vudissect.host.inspect import inspect
from vudissect.protocol.features import VIRTIO_FEATURES
from vudissect.proxy.descriptor_pool import DescriptorPool
from vudissect.proxy.offered import Offered
from vudissect.proxy.rings import RingWatch
from vudissect.rings.blk import Header, Kind
from vudissect.rings.chain import Buffer
from vudissect.rings.inflight import InflightRegion
from vudissect.rings.look import Look, Parts, Read, look
from vudissect.rings.memory import GuestMemory, Region
from vudissect.rings.packed_inflight import Descriptor, PackedInflightRegion
from vudissect.rings.split import SplitDevice, SplitDriver, SplitRing, parts
from vudissect.session.session import Session

SIZE = 1 << 20
OFFSET = 0x3000  # of the region in its file
FILE = HUGE  # bytes of the file
GUEST, USER = 0x40000000, 0x7F0000000000
DESC, AVAIL, USED = 0x1000, 0x2000, 0x3000
HEADER, STATUS = 0x8000, 0x9000
ENTRIES = 8


def offered(fd: int) -> Offered:
    """A copy of a descriptor, as the proxy passes it on."""
    return Offered(os.dup(fd), inspect(fd).identity, False)


class Scene:
    """A front-end that sets up ring 0 in its memory, a device, and an observer of what they pass to each other."""

    def __init__(
        self,
        *,
        requests: bool = False,
        features: tuple[str, ...] = ("VERSION_1", "PROTOCOL_FEATURES"),
        back_end: str = "vhost-user-blk",
        back_end_pid: int = 0,
        memory: int | None = None,
    ) -> None:
        self.memory = os.memfd_create("guest") if memory is None else memory
        os.ftruncate(self.memory, FILE)
        self.kick, self.call = os.eventfd(0), os.eventfd(0)
        self.pool = DescriptorPool()
        self.watch = RingWatch(self.pool, requests=requests)
        self.talk = Conversation()
        self.session = Session()
        self.seen: list[Observation] = []
        self.now = 0
        self.talk.open("qemu", back_end)
        opened = self.talk.records[0]._replace(details={**self.talk.records[0].details, "back_end_pid": back_end_pid})
        list(self.watch.see(self.session.feed(opened)))
        self.say("SET_FEATURES", features=VIRTIO_FEATURES.mask(*features))
        mapped = memoryview(mmap.mmap(self.memory, FILE))[OFFSET : OFFSET + SIZE]
        self.guest = GuestMemory([Region(GUEST, USER, mapped)])
        sizes = parts(ENTRIES)
        ring = SplitRing(
            ENTRIES, *(mapped[at : at + size] for at, size in zip((DESC, AVAIL, USED), sizes, strict=True))
        )
        self.driver, self.device = SplitDriver(ring), SplitDevice(ring)

    def say(self, name: str, *fds: int, **fields: Any) -> None:
        """The front-end sends a message, and nothing more at the moment."""
        self.seen += self.feed(name, *fds, **fields)
        self.seen += (seen.observation for seen in self.watch.look_at_changed(monotonic_ns()))

    def feed(self, name: str, *fds: int, **fields: Any) -> list[Observation]:
        """The observer gets the descriptors of a message, then the message; what it records at once."""
        for fd in fds:
            self.pool.add(offered(fd))
        self.talk.front_end(name, descriptors=tuple(map(inspect, fds)), **fields)
        return [seen.observation for seen in self.watch.see(self.session.feed(self.talk.records[-1]))]

    def give_memory(self) -> None:
        region = {"guest_addr": GUEST, "size": SIZE, "user_addr": USER, "mmap_offset": OFFSET}
        self.say("SET_MEM_TABLE", self.memory, regions=[region])

    def start(self) -> None:
        """Set up ring 0 and start it."""
        self.give_memory()
        self.say("SET_VRING_CALL", self.call, index=0)
        self.say("SET_VRING_NUM", index=0, num=ENTRIES)
        self.say("SET_VRING_ADDR", index=0, desc=USER + DESC, avail=USER + AVAIL, used=USER + USED)
        self.say("SET_VRING_KICK", self.kick, index=0)
        self.say("SET_VRING_ENABLE", index=0, num=1)
        self.seen.clear()

    def look(self, after: int = SECOND) -> list[Observation]:
        """What an observer records some time later."""
        self.now += after
        return [seen.observation._replace(time=0) for seen in self.watch.look(self.now)]

    def offer(self, *buffers: Buffer) -> None:
        self.driver.offer(buffers or [Buffer(GUEST + HEADER, 16)])

    def complete(self) -> None:
        chain = self.device.take(self.guest)
        assert chain is not None
        self.device.complete(chain, 1)


@pytest.fixture
def scene() -> Iterator[Scene]:
    scene = Scene()
    yield scene
    scene.watch.close()
    for fd in (scene.memory, scene.kick, scene.call):
        os.close(fd)


def counted_looks(monkeypatch: pytest.MonkeyPatch) -> list[Parts]:
    """The rings that are looked at from now on."""
    looks: list[Parts] = []

    def counted(parts: Parts, read: Read) -> Look:
        looks.append(parts)
        return look(parts, read)

    monkeypatch.setattr("vudissect.proxy.rings.look", counted)
    return looks


def open_files() -> int:
    gc.collect()  # mappings of earlier scenes have descriptors, too
    return len(os.listdir("/proc/self/fd"))


def test_an_idle_ring(scene: Scene) -> None:
    scene.start()

    assert scene.look() == []


def test_the_start_shows_where_the_ring_is(scene: Scene) -> None:
    scene.driver.ring.avail_idx = scene.driver.ring.used_idx = 5
    scene.give_memory()
    scene.say("SET_VRING_NUM", index=0, num=ENTRIES)
    assert scene.seen == []
    scene.say("SET_VRING_ADDR", index=0, desc=USER + DESC, avail=USER + AVAIL, used=USER + USED)

    assert [seen._replace(time=0) for seen in scene.seen] == [Observation(0, avail=5, used=5, pending=0)]


def test_a_request_that_nobody_takes(scene: Scene) -> None:
    scene.start()
    scene.offer()
    os.eventfd_write(scene.kick, 1)

    assert scene.look() == [Observation(0, avail=1, used=0, pending=1, kick=1, call=0)]
    assert scene.look() == [
        Observation(0, avail=1, used=0, pending=1, waited=SECOND, kick=1, kick_unread=SECOND, call=0)
    ]


def test_notifications_that_are_read_and_written_again_between_two_looks(scene: Scene) -> None:
    scene.start()
    scene.offer()
    scene.complete()
    os.eventfd_write(scene.kick, 1)
    os.eventfd_write(scene.call, 1)
    scene.look()
    # The device completes another request, and the driver makes one: the counters are the same as before.
    scene.offer()
    scene.complete()

    (seen,) = scene.look()

    assert (seen.kick, seen.kick_unread, seen.call, seen.call_unread) == (1, 0, 1, 0)


def test_a_driver_that_goes_on_does_not_hide_that_its_kick_is_unread(scene: Scene) -> None:
    scene.start()
    scene.offer()
    os.eventfd_write(scene.kick, 1)
    scene.look()
    scene.offer()
    scene.look()
    scene.offer()

    (seen,) = scene.look()

    assert (seen.pending, seen.kick, seen.kick_unread) == (3, 1, 2 * SECOND)


def test_what_lasts_is_recorded_less_and_less_often(scene: Scene) -> None:
    scene.start()
    scene.offer()
    recorded = [seen.waited // SECOND for _ in range(130) for seen in scene.look()]

    assert recorded == [0, 1, 2, 5, 10, 30, 60, 120]


def test_a_request_that_is_completed(scene: Scene) -> None:
    scene.start()
    scene.offer()
    scene.look()
    scene.complete()
    os.eventfd_write(scene.call, 1)

    assert scene.look() == [Observation(0, avail=1, used=1, pending=0, kick=0, call=1)]


def test_the_wait_begins_again_when_another_request_was_completed(scene: Scene) -> None:
    scene.start()
    scene.offer()
    scene.offer()
    scene.look()
    scene.complete()

    (seen,) = scene.look()

    assert (seen.pending, seen.waited) == (1, 0)


def test_a_completion_that_the_driver_does_not_notice() -> None:
    scene = Scene(features=("VERSION_1", "PROTOCOL_FEATURES", "EVENT_IDX"))
    scene.start()
    for _ in range(2):
        scene.offer()
        scene.complete()
        scene.driver.collect()
    scene.look()
    scene.offer()
    scene.complete()
    scene.look()

    (seen,) = scene.look()

    assert seen.unnoticed == SECOND


def test_the_first_completion_that_the_driver_does_not_notice() -> None:
    scene = Scene(features=("VERSION_1", "PROTOCOL_FEATURES", "EVENT_IDX"))
    scene.start()
    scene.offer()
    scene.complete()
    scene.look()

    (seen,) = scene.look()

    assert seen.unnoticed == SECOND


def test_a_ring_that_is_set_up_again_begins_at_its_base(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.proxy.test_rings.monotonic_ns", lambda: 0)
    monkeypatch.setattr("vudissect.proxy.rings.monotonic_ns", lambda: 0)
    scene = Scene(features=("VERSION_1", "PROTOCOL_FEATURES", "EVENT_IDX"))
    scene.start()
    for _ in range(3):
        scene.offer()
        scene.complete()
        scene.driver.collect()
    scene.look()
    scene.say("GET_VRING_BASE", index=0)
    scene.say("SET_VRING_BASE", index=0, num=0)
    scene.driver.ring.used_event = 0
    # The observer is late: the first request is done when it looks.
    scene.driver.ring.avail_idx = scene.driver.ring.used_idx = 1
    scene.start()

    (seen,) = scene.look()

    assert seen.unnoticed == scene.now


def test_a_device_whose_driver_may_poll() -> None:
    scene = Scene(features=("VERSION_1", "PROTOCOL_FEATURES", "EVENT_IDX"), back_end="mystery")
    scene.start()
    scene.offer()
    scene.complete()
    scene.look()

    assert scene.look() == []


def test_a_driver_that_goes_on_making_requests_polls() -> None:
    scene = Scene(features=("VERSION_1", "PROTOCOL_FEATURES", "EVENT_IDX"))
    scene.start()
    for _ in range(2):
        scene.offer()
        scene.complete()
        scene.driver.collect()
    scene.look()
    scene.offer()
    scene.complete()
    scene.look()
    scene.offer()

    (seen,) = scene.look()

    assert seen.unnoticed == 0


def test_a_completion_that_the_driver_notices() -> None:
    scene = Scene(features=("VERSION_1", "PROTOCOL_FEATURES", "EVENT_IDX"))
    scene.start()
    for _ in range(3):
        scene.offer()
        scene.complete()
        scene.look()
        scene.driver.collect()

    assert scene.look() == []


class TestCallsWithoutEventIndex:
    """A call that stays unread is only strange if calls were read before, and if the driver wants them."""

    def complete(self, scene: Scene) -> None:
        """A request is made and completed, and the back-end writes its call."""
        scene.offer()
        scene.complete()
        os.eventfd_write(scene.call, 1)

    def read(self, scene: Scene) -> None:
        os.eventfd_read(scene.call)
        scene.driver.collect()

    def working(self, scene: Scene) -> None:
        """Two requests are done, and their calls are read."""
        scene.start()
        for _ in range(2):
            self.complete(scene)
            self.read(scene)
            scene.look()

    def test_calls_are_no_longer_read(self, scene: Scene) -> None:
        self.working(scene)
        self.complete(scene)
        scene.look()

        (seen,) = scene.look()

        assert (seen.call, seen.call_unread, seen.unnoticed) == (1, SECOND, SECOND)

    def test_a_driver_that_polls_goes_on(self, scene: Scene) -> None:
        self.working(scene)
        self.complete(scene)
        scene.look()
        scene.driver.collect()
        self.complete(scene)

        (seen,) = scene.look()

        assert (seen.call, seen.call_unread, seen.unnoticed) == (2, SECOND, 0)

    def test_a_driver_that_polls_and_then_stops(self, scene: Scene) -> None:
        self.working(scene)
        self.complete(scene)
        scene.look()
        scene.driver.collect()
        self.complete(scene)
        scene.look()

        (seen,) = scene.look()

        assert (seen.call_unread, seen.unnoticed) == (2 * SECOND, SECOND)

    def test_a_driver_that_wants_no_calls(self, scene: Scene) -> None:
        self.working(scene)
        scene.driver.want_no_calls()
        self.complete(scene)
        scene.look()

        (seen,) = scene.look()

        assert (seen.no_calls, seen.unnoticed) == (True, 0)

    def test_a_descriptor_whose_calls_were_never_read(self, scene: Scene) -> None:
        scene.start()
        self.complete(scene)
        scene.look()

        (seen,) = scene.look()

        assert (seen.call_unread, seen.unnoticed) == (SECOND, 0)

    def test_a_front_end_that_masks_the_interrupt(self, scene: Scene) -> None:
        self.working(scene)
        scene.call = os.eventfd(0)
        scene.say("SET_VRING_CALL", scene.call, index=0)
        self.complete(scene)
        scene.look()

        (seen,) = scene.look()

        assert (seen.call_unread, seen.unnoticed) == (SECOND, 0)

    def test_the_kernel_reads_it_for_the_guest(self, scene: Scene) -> None:
        self.working(scene)
        self.complete(scene)
        os.eventfd_read(scene.call)  # an irqfd: whether the guest has noticed cannot be seen
        scene.look()

        assert scene.look() == []


class TestInFlightMemory:
    """What a back-end marks there, a back-end that is started later processes again."""

    def started(self, scene: Scene, *, size: int | None = None, entries: int = ENTRIES) -> InflightRegion:
        """The ring is started with in-flight memory, perhaps of another size than it needs."""
        fd = os.memfd_create("inflight")
        os.ftruncate(fd, 4096)
        region = InflightRegion(memoryview(mmap.mmap(fd, 4096))[64:], ENTRIES)
        region.begin()
        if size is not None:
            os.ftruncate(fd, size)
        settings = {"mmap_size": 4032, "mmap_offset": 64, "num_queues": 1, "queue_size": entries}
        scene.say("SET_INFLIGHT_FD", fd, **settings)
        os.close(fd)
        scene.start()
        return region

    def take(self, scene: Scene, region: InflightRegion, *, clear: bool = True) -> None:
        """A request is marked, completed, and perhaps cleared."""
        scene.offer()
        chain = scene.device.take(scene.guest)
        assert chain is not None
        region.mark(chain.id, 1)
        scene.device.complete(chain, 1)
        if clear:
            region.clear(chain.id)
        scene.driver.collect()

    def test_a_request_that_is_being_processed(self, scene: Scene) -> None:
        region = self.started(scene)
        scene.offer()
        region.mark(0, 1)
        scene.look()

        (seen,) = scene.look()

        assert (seen.pending, seen.in_flight, seen.left_over) == (1, 1, 0)

    def test_a_back_end_that_clears_what_it_has_completed(self, scene: Scene) -> None:
        region = self.started(scene)
        self.take(scene, region)

        (seen,) = scene.look()

        assert (seen.used, seen.in_flight, seen.left_over) == (1, 0, 0)
        assert scene.look() == []

    def test_a_back_end_that_does_not(self, scene: Scene) -> None:
        region = self.started(scene)
        self.take(scene, region, clear=False)
        scene.look()

        (seen,) = scene.look()

        assert (seen.pending, seen.in_flight, seen.left_over) == (0, 1, SECOND)

    def test_of_a_ring_that_goes_on_it_is_not_known(self, scene: Scene) -> None:
        region = self.started(scene)
        for _ in range(3):
            self.take(scene, region, clear=False)
            (seen,) = scene.look()

        assert (seen.used, seen.left_over) == (3, 0)

    @pytest.mark.parametrize(("entries", "in_flight"), [(ENTRIES - 1, None), (1 << 15, 1)], ids=["few", "many"])
    def test_memory_for_larger_or_smaller_rings(self, scene: Scene, entries: int, in_flight: int | None) -> None:
        region = self.started(scene, entries=entries)
        scene.offer()
        region.mark(0, 1)

        (seen,) = scene.look()

        assert seen.in_flight == in_flight

    def test_memory_that_is_too_short(self, scene: Scene) -> None:
        self.started(scene, size=100)
        scene.offer()

        (seen,) = scene.look()

        assert (seen.pending, seen.in_flight) == (1, None)

    def test_memory_of_a_packed_ring(self) -> None:
        scene = Scene(features=("VERSION_1", "PROTOCOL_FEATURES", "RING_PACKED"))
        fd = os.memfd_create("inflight")
        os.ftruncate(fd, 4096)
        region = PackedInflightRegion(memoryview(mmap.mmap(fd, 4096)), ENTRIES)
        region.begin()
        scene.say("SET_INFLIGHT_FD", fd, mmap_size=4096, mmap_offset=0, num_queues=1, queue_size=ENTRIES)
        scene.start()
        region.take([Descriptor(0x1000, 16, 3, 0), Descriptor(0x2000, 1, 3, 0)], 1)

        (seen,) = scene.look()

        # Descriptors, as all that is counted in a packed ring.
        assert seen.in_flight == 2

    def test_memory_that_nobody_has_used(self, scene: Scene) -> None:
        fd = os.memfd_create("inflight")
        os.ftruncate(fd, 4096)
        scene.say("SET_INFLIGHT_FD", fd, mmap_size=4096, mmap_offset=0, num_queues=1, queue_size=ENTRIES)
        scene.start()
        scene.offer()

        (seen,) = scene.look()

        assert (seen.pending, seen.in_flight) == (1, None)

    def test_it_is_let_go_when_it_is_replaced(self, scene: Scene) -> None:
        self.started(scene)
        before = open_files()
        os.close(self.started_again(scene))

        assert open_files() == before

    def started_again(self, scene: Scene) -> int:
        """Other in-flight memory is passed; the descriptor of the front-end."""
        fd = os.memfd_create("inflight")
        scene.say("SET_INFLIGHT_FD", fd, mmap_size=4096, mmap_offset=0, num_queues=1, queue_size=ENTRIES)
        return fd


def test_a_back_end_that_is_stopped_while_a_request_is_pending() -> None:
    with subprocess.Popen(["sleep", "60"]) as back_end:
        scene = Scene(back_end_pid=back_end.pid)
        scene.start()
        os.kill(back_end.pid, signal.SIGSTOP)
        os.waitpid(back_end.pid, os.WUNTRACED)
        assert scene.look() == []
        scene.offer()
        (seen,) = scene.look()
        back_end.kill()

    assert (seen.back_end_stopped, seen.front_end_stopped) == (True, False)


def test_the_oldest_request_in_words() -> None:
    scene = Scene(requests=True)
    scene.start()
    scene.guest.at_guest(GUEST + HEADER, 16)[:] = Header(Kind.OUT, 2048).pack()
    scene.offer(Buffer(GUEST + HEADER, 16), Buffer(GUEST + 0xA000, 4096), Buffer(GUEST + STATUS, 1, writable=True))

    (seen,) = scene.look()

    assert seen.request == "request 0: write sector 2048, 8 sectors"


def oldest_request_in(memory: int) -> str:
    """What is found in memory in which a request is pending; nothing is left of that memory."""
    scene = Scene(requests=True, memory=memory)
    scene.start()
    scene.guest.at_guest(GUEST + HEADER, 16)[:] = Header(Kind.FLUSH).pack()
    scene.offer()
    (seen,) = scene.look()
    scene.watch.close()
    os.close(memory)
    return seen.request


def test_memory_in_huge_pages() -> None:
    with huge_pages(FILE):
        assert oldest_request_in(huge_memfd("guest")) == "request 0: flush"


def test_memory_in_a_file_on_hugetlbfs(tmp_path: Path) -> None:
    with huge_pages(FILE), hugetlbfs(tmp_path / "huge") as folder:
        memory = os.open(folder / "guest", os.O_RDWR | os.O_CREAT)

        assert oldest_request_in(memory) == "request 0: flush"


def test_memory_in_a_file_on_disk(tmp_path: Path) -> None:
    memory = os.open(tmp_path / "guest", os.O_RDWR | os.O_CREAT)

    assert oldest_request_in(memory) == "request 0: flush"


def test_a_descriptor_of_the_driver_is_outside_of_memory() -> None:
    scene = Scene(requests=True)
    scene.start()
    scene.offer(Buffer(0x1000, 16))

    (seen,) = scene.look()

    assert seen.fault == "16 bytes at 0x1000 are in no memory region"


def test_an_index_that_jumped(scene: Scene) -> None:
    scene.start()
    scene.driver.ring.avail_idx = 400

    (seen,) = scene.look()

    assert seen.fault == "400 requests are pending in a ring of 8"


def test_a_ring_outside_of_memory(scene: Scene) -> None:
    scene.give_memory()
    scene.say("SET_VRING_NUM", index=0, num=ENTRIES)
    scene.say("SET_VRING_ADDR", index=0, desc=USER + DESC, avail=USER + AVAIL, used=0x1000)

    (seen,) = scene.seen

    assert seen.fault == "4 bytes at 0x1000 are in no memory region"


def test_a_file_that_has_shrunk(scene: Scene) -> None:
    scene.start()
    os.ftruncate(scene.memory, 0)

    (seen,) = scene.look()

    assert seen.fault == "the file of region0 ends before 0x7f0000003000"


def test_a_ring_of_impossible_size_is_left_alone(scene: Scene) -> None:
    scene.give_memory()
    scene.say("SET_VRING_NUM", index=0, num=1 << 31)
    scene.say("SET_VRING_ADDR", index=0, desc=USER + DESC, avail=USER + AVAIL, used=USER + USED)

    assert scene.seen == []


def test_a_burst_of_messages_is_looked_at_once(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    scene.start()
    looks = counted_looks(monkeypatch)
    for _ in range(100):
        scene.feed("SET_VRING_KICK", scene.kick, index=0)
    assert looks == []

    assert list(scene.watch.look_at_changed(0)) == []
    assert len(looks) == 1


def test_a_ring_is_looked_at_when_it_stops(scene: Scene) -> None:
    scene.start()
    scene.offer()
    (seen,) = scene.feed("GET_VRING_BASE", index=0)

    assert (seen.avail, seen.used, seen.pending) == (1, 0, 1)


def test_a_ring_is_recorded_when_the_back_end_reports_where_it_has_stopped(scene: Scene) -> None:
    scene.start()
    assert scene.feed("GET_VRING_BASE", index=0) == []
    scene.talk.back_end("GET_VRING_BASE", index=0, num=0)

    (seen,) = scene.watch.see(scene.session.feed(scene.talk.records[-1]))

    assert (seen.observation.avail, seen.observation.used, seen.observation.pending) == (0, 0, 0)


def test_very_many_large_rings_are_looked_at_in_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene(features=("VERSION_1", "PROTOCOL_FEATURES", "RING_PACKED"))
    scene.give_memory()
    rings = 5
    for index in range(rings):
        scene.say("SET_VRING_NUM", index=index, num=32768)
        scene.say("SET_VRING_ADDR", index=index, desc=USER, avail=USER + 0x80000, used=USER + 0x81000)
        scene.say("SET_VRING_KICK", scene.kick, index=index)
    looks = counted_looks(monkeypatch)
    list(scene.watch.look(SECOND))
    assert 0 < len(looks) < rings
    os.eventfd_write(scene.kick, 1)
    seen = {each.observation.ring for second in range(rings) for each in scene.watch.look(second * SECOND)}

    assert seen == set(range(rings))


def test_descriptors_that_nobody_takes_do_not_accumulate() -> None:
    pool = DescriptorPool()
    before = open_files()
    for _ in range(2000):
        event = os.eventfd(0)
        pool.add(offered(event))
        os.close(event)
    held = open_files() - before
    pool.empty()

    assert (held, open_files()) == (1024, before)


def test_memory_whose_descriptor_did_not_arrive(scene: Scene) -> None:
    scene.start()
    scene.pool.empty()
    scene.say("REM_MEM_REG", guest_addr=GUEST, size=SIZE, user_addr=USER)
    scene.talk.front_end(
        "ADD_MEM_REG", guest_addr=GUEST, size=SIZE, user_addr=USER, mmap_offset=0, descriptors=(inspect(scene.memory),)
    )
    list(scene.watch.see(scene.session.feed(scene.talk.records[-1])))

    (seen,) = scene.look()

    assert seen.unreadable == "region0: its descriptor is not available"


def test_memory_on_something_that_cannot_be_read(scene: Scene) -> None:
    scene.memory = os.open("/dev/zero", os.O_RDONLY)
    scene.give_memory()
    scene.say("SET_VRING_NUM", index=0, num=ENTRIES)
    scene.say("SET_VRING_ADDR", index=0, desc=USER + DESC, avail=USER + AVAIL, used=USER + USED)

    (seen,) = scene.seen

    assert seen.unreadable == "region0: it is not a file"


def test_memory_is_let_go_when_its_region_is_removed(scene: Scene) -> None:
    scene.start()
    before = open_files()
    scene.say("REM_MEM_REG", guest_addr=GUEST, size=SIZE, user_addr=USER)

    assert open_files() == before - 1


def test_an_event_descriptor_is_let_go_when_it_is_replaced(scene: Scene) -> None:
    scene.start()
    before = open_files()
    scene.say("SET_VRING_CALL", os.eventfd(0), index=0)

    assert open_files() == before + 1  # our own


def last_look(scene: Scene) -> list[Observation]:
    """What is recorded of the connection a second later, before it is recorded as closed."""
    scene.now += SECOND
    return [seen.observation._replace(time=0) for seen in scene.watch.look_before_closing(1, scene.now)]


def test_the_last_look_at_a_request_that_is_pending(scene: Scene) -> None:
    scene.start()
    scene.offer()
    scene.look()
    scene.look(after=SECOND // 2)

    assert last_look(scene) == [Observation(0, avail=1, used=0, pending=1, waited=3 * SECOND // 2, kick=0, call=0)]


def test_the_last_look_at_a_request_that_was_completed_a_moment_ago(scene: Scene) -> None:
    scene.start()
    scene.offer()
    scene.look()
    scene.complete()

    assert last_look(scene) == [Observation(0, avail=1, used=1, pending=0, kick=0, call=0)]


def test_the_last_look_at_a_ring_in_which_nothing_has_happened(scene: Scene) -> None:
    scene.start()

    assert last_look(scene) == []


def test_the_last_look_leaves_a_ring_alone_that_was_stopped(scene: Scene) -> None:
    scene.start()
    scene.feed("GET_VRING_BASE", index=0)
    scene.offer()

    assert last_look(scene) == []


def test_all_is_let_go_when_the_connection_closes(scene: Scene) -> None:
    before = open_files()
    scene.start()
    scene.talk.close("front-end")
    list(scene.watch.see(scene.session.feed(scene.talk.records[-1])))
    scene.pool.empty()

    assert open_files() == before


def test_rings_at_iovas() -> None:
    scene = Scene(features=("VERSION_1", "PROTOCOL_FEATURES", "ACCESS_PLATFORM"))
    scene.give_memory()
    scene.say("SET_VRING_NUM", index=0, num=ENTRIES)
    scene.say("SET_VRING_ADDR", index=0, desc=0x1000, avail=0x2000, used=0x3000)
    assert scene.seen[-1].unreadable == "no translation of IOVA 0x3000 was sent"
    scene.say("IOTLB_MSG", iova=0, size=0x8000, user_addr=USER, perm=3, type=2)
    scene.say("SET_VRING_KICK", scene.kick, index=0)

    assert (scene.seen[-1].avail, scene.seen[-1].pending) == (0, 0)


def test_an_iova_that_was_invalidated() -> None:
    scene = Scene(features=("VERSION_1", "PROTOCOL_FEATURES", "ACCESS_PLATFORM"))
    scene.give_memory()
    scene.say("SET_VRING_NUM", index=0, num=ENTRIES)
    scene.say("IOTLB_MSG", iova=0, size=0x8000, user_addr=USER, perm=3, type=2)
    scene.say("IOTLB_MSG", iova=0, size=0x8000, user_addr=0, perm=0, type=3)
    scene.say("SET_VRING_ADDR", index=0, desc=0x1000, avail=0x2000, used=0x3000)

    assert scene.seen[-1].unreadable == "no translation of IOVA 0x3000 was sent"
