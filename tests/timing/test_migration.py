"""A migration in parts. `source.pcapng` and `destination.pcapng` are of one, as tests/peers/test_both_sides.py does."""

import itertools
from pathlib import Path

from tests.conversation import Conversation, memfd
from tests.timing.talks import joined, tracks_of
from vudissect.analysis import read
from vudissect.timing.migration import migrations

HERE = Path(__file__).parent
SOURCE, DESTINATION = HERE / "source.pcapng", HERE / "destination.pcapng"
CAPTURES = HERE.parents[1] / "captures"
ALONE = CAPTURES / "qemu-10.0-fs-virtiofsd-1.13-migration-source.pcapng"


def test_the_parts_have_names_in_the_order_of_a_migration() -> None:
    parts = joined(SOURCE, DESTINATION).migration.parts

    assert [(part.span.name, part.at_source, part.down) for part in parts] == [
        ("the log is passed", True, False),
        ("logging is switched on", True, False),
        ("the guest runs and is copied", True, False),
        ("rings are stopped", True, True),
        ("positions of rings are read", True, True),
        ("the rest is copied", True, True),
        ("features are set", False, True),
        ("memory is mapped", False, True),
        ("rings are set up", False, True),
        ("positions of rings are set", False, True),
        ("addresses of rings are set", False, True),
    ]


def test_the_parts_add_up_to_the_migration() -> None:
    migration, begin, _, kick = joined(SOURCE, DESTINATION)

    assert migration.duration == kick - begin


def test_the_parts_without_a_running_ring_add_up_to_the_downtime() -> None:
    migration, _, stop, kick = joined(SOURCE, DESTINATION)

    assert migration.downtime == kick - stop


def test_each_part_begins_where_the_one_before_ends() -> None:
    parts = joined(SOURCE, DESTINATION).migration.parts

    for part, following in itertools.pairwise(parts):
        assert part.span.start + part.span.duration == following.span.start


def test_the_order_of_the_captures_does_not_matter() -> None:
    (migration,) = migrations(tracks_of(read(DESTINATION), read(SOURCE)))

    assert (migration.source, migration.destination) == (("1.pcapng", 1), ("0.pcapng", 1))


def test_state_that_is_loaded_is_a_part() -> None:
    talk = Conversation()
    talk.open("qemu", "virtiofsd", connection=1)
    talk.open("qemu", "virtiofsd", connection=2)
    talk.front_end("SET_LOG_BASE", mmap_size=4096, mmap_offset=0, descriptors=(memfd(size=4096),))
    talk.front_end("GET_VRING_BASE", index=0)
    talk.back_end("GET_VRING_BASE", index=0, num=7)
    talk.front_end("SET_DEVICE_STATE_FD", connection=2, direction=1, phase=0)
    talk.front_end("SET_VRING_BASE", connection=2, index=0, num=7)
    talk.front_end("SET_VRING_KICK", connection=2, index=0, nofd=1)
    (migration,) = migrations(tracks_of(talk.records))

    assert migration.destination == ("0.pcapng", 2)
    assert [part.span.name for part in migration.parts][-3:] == [
        "the rest is copied",
        "device state is loaded",
        "positions of rings are set",
    ]


def test_a_source_alone_ends_where_it_has_done_its_part() -> None:
    (migration,) = migrations(tracks_of(read(ALONE)))

    assert migration.destination is None
    assert [part.span.name for part in migration.parts] == [
        "the log is passed",
        "logging is switched on",
        "the guest runs and is copied",
        "rings are stopped",
        "positions of rings are read",
        "device state is saved",
    ]


def test_captures_of_two_migrations_are_not_joined() -> None:
    other = CAPTURES / "qemu-7.2-blk-qsd-migration-destination.pcapng"
    (migration,) = migrations(tracks_of(read(SOURCE), read(other)))

    assert migration.destination is None


def test_a_session_without_a_log_is_not_a_migration() -> None:
    assert list(migrations(tracks_of(read(DESTINATION)))) == []
