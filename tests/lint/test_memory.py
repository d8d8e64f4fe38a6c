"""VU-MEM: the memory map."""

from typing import Any

import pytest

from tests.conversation import Conversation, memfd
from tests.lint import found, only
from vudissect.host.descriptor import Descriptor
from vudissect.lint.finding import Blame, Severity
from vudissect.lint.rules import ALL_RULES
from vudissect.protocol.features import PROTOCOL_FEATURES
from vudissect.protocol.payloads import (
    MEM_REG_CONSUMED,
    MEM_REG_SHORT,
    MEM_REG_XEN,
    MEM_TABLE,
    MEM_TABLE_TWO,
    MEM_TABLE_XEN,
)

PAGE = 0x1000
MIB = 1 << 20
HUGE = 2 * MIB
USER = 0x7F0000000000

Region = dict[str, int]


def region(guest_addr: int, size: int = MIB, user_addr: int | None = None, **more: int) -> Region:
    """A region whose user address goes with its guest address, if not told otherwise."""
    user = USER + guest_addr if user_addr is None else user_addr
    return {"guest_addr": guest_addr, "size": size, "user_addr": user, **more}


def files(number: int, **options: Any) -> tuple[Descriptor, ...]:
    return tuple(memfd(f"ram{index}", **options) for index in range(number))


def started(*features: str) -> Conversation:
    """A connection from its beginning, with these protocol features: 3 records."""
    talk = Conversation()
    talk.open()
    talk.front_end("SET_OWNER")
    talk.front_end("SET_PROTOCOL_FEATURES", features=PROTOCOL_FEATURES.mask(*features))
    return talk


def table(talk: Conversation, *regions: Region, **options: Any) -> None:
    talk.front_end("SET_MEM_TABLE", regions=regions, **{"descriptors": files(len(regions)), **options})


def add(talk: Conversation, added: Region, name: str = "ram", **options: Any) -> None:
    talk.front_end("ADD_MEM_REG", descriptors=(memfd(name),), **added, **options)


def listening() -> Conversation:
    talk = started("PAGEFAULT", "CONFIGURE_MEM_SLOTS")
    talk.front_end("POSTCOPY_LISTEN")
    return talk


@pytest.mark.parametrize("features", [(), ("XEN_MMAP",)])
@pytest.mark.parametrize("name", ["SET_MEM_TABLE", "ADD_MEM_REG", "REM_MEM_REG"])
def test_of_a_message_that_fits_no_layout_only_its_size_is_judged(name: str, features: tuple[str, ...]) -> None:
    talk = started(*features)
    talk.front_end(name, payload=bytes(13))

    rules = [rule.id for rule in ALL_RULES if rule.id.startswith("VU-MEM-")]

    assert {finding.rule for finding in found(talk, *rules)} <= {"VU-MEM-10"}


class TestNumberOfRegions:
    """VU-MEM-01."""

    def test_none(self) -> None:
        talk = started()
        table(talk)

        finding = only(talk, "VU-MEM-01")

        assert (finding.severity, finding.blame, finding.frame) == (Severity.ERROR, Blame.FRONT_END, 4)
        assert "SET_MEM_TABLE has no region" in finding.message

    def test_none_where_the_addresses_of_postcopy_are_acknowledged(self) -> None:
        talk = listening()
        table(talk)

        assert found(talk, "VU-MEM-01") == []

    def test_nine(self) -> None:
        talk = started()
        table(talk, *(region(number * MIB) for number in range(9)))

        finding = only(talk, "VU-MEM-01")

        assert finding.blame is Blame.FRONT_END
        assert "9 regions, but receivers have room for 8" in finding.message

    def test_eight(self) -> None:
        talk = started()
        table(talk, *(region(number * MIB) for number in range(8)))

        assert found(talk, "VU-MEM-01") == []


class TestOverlapInGuestMemory:
    """VU-MEM-02."""

    def test_within_a_table(self) -> None:
        talk = started()
        table(talk, region(0), region(MIB - PAGE))

        finding = only(talk, "VU-MEM-02")

        assert (finding.severity, finding.blame, finding.frame) == (Severity.ERROR, Blame.FRONT_END, 4)
        assert (
            "region 0 (0x0 to 0x100000) and region 1 (0xff000 to 0x1ff000) overlap in guest memory" in finding.message
        )

    def test_neighbours(self) -> None:
        talk = started()
        table(talk, region(0), region(MIB))

        assert found(talk, "VU-MEM-02") == []

    def test_with_a_region_of_before(self) -> None:
        talk = started("CONFIGURE_MEM_SLOTS")
        add(talk, region(0, 4 * MIB))
        add(talk, region(8 * MIB))
        add(talk, region(MIB))

        finding = only(talk, "VU-MEM-02")

        assert (finding.frame, finding.frames) == (6, (4,))

    def test_within_a_large_region_behind_a_small_one(self) -> None:
        talk = started("CONFIGURE_MEM_SLOTS")
        add(talk, region(0, 4 * MIB))
        add(talk, region(MIB))
        add(talk, region(3 * MIB))

        assert [finding.frame for finding in found(talk, "VU-MEM-02")] == [5, 6]

    def test_with_a_region_that_was_removed(self) -> None:
        talk = started("CONFIGURE_MEM_SLOTS")
        add(talk, region(0))
        talk.front_end("REM_MEM_REG", **region(0))
        add(talk, region(0))

        assert found(talk, "VU-MEM-02") == []

    def test_with_an_empty_region(self) -> None:
        talk = started()
        table(talk, region(0), region(PAGE, size=0))

        assert found(talk, "VU-MEM-02") == []


class TestOverlapInUserMemory:
    """VU-MEM-03."""

    def test_two_regions_at_one_address(self) -> None:
        talk = started()
        table(talk, region(0, user_addr=USER), region(MIB, user_addr=USER))

        finding = only(talk, "VU-MEM-03")

        assert (finding.severity, finding.blame, finding.frame) == (Severity.ERROR, Blame.FRONT_END, 4)
        assert f"{USER:#x} to {USER + MIB:#x}" in finding.message

    def test_where_rings_are_told_by_guest_addresses(self) -> None:
        talk = started("GPA_ADDRESSES")
        table(talk, region(0, user_addr=USER), region(MIB, user_addr=USER))

        assert found(talk, "VU-MEM-03") == []


class TestWholePages:
    """VU-MEM-04."""

    def test_a_hole_of_a_pc_in_huge_pages(self) -> None:
        talk = started()
        table(talk, region(0, 0xA0000), descriptors=files(1, page_size=HUGE))

        finding = only(talk, "VU-MEM-04")

        assert (finding.severity, finding.blame, finding.frame) == (Severity.WARNING, Blame.FRONT_END, 4)
        assert "size 0xa0000 is not a multiple of the page size of mem#1, 0x200000" in finding.message

    def test_the_same_in_small_pages(self) -> None:
        talk = started()
        table(talk, region(0, 0xA0000), descriptors=files(1))

        assert found(talk, "VU-MEM-04") == []

    def test_half_a_small_page(self) -> None:
        talk = started()
        table(talk, region(0x800))

        assert "guest address 0x800 and user address 0x7f0000000800" in only(talk, "VU-MEM-04").message

    def test_an_empty_region(self) -> None:
        talk = started("CONFIGURE_MEM_SLOTS")
        add(talk, region(MIB, size=0))

        assert "region 0 at guest address 0x100000 is empty" in only(talk, "VU-MEM-04").message

    def test_a_slot_that_is_no_region(self) -> None:
        talk = started()
        table(talk, region(0), {}, layout=MEM_TABLE_TWO, nregions=1, descriptors=files(1))

        assert found(talk, "VU-MEM-04") == []


class TestSlots:
    """VU-MEM-06."""

    def with_slots(self, slots: int) -> Conversation:
        talk = started("CONFIGURE_MEM_SLOTS")
        talk.ask("GET_MAX_MEM_SLOTS", slots=slots)
        add(talk, region(0), "a")
        add(talk, region(MIB), "b")
        return talk

    def test_more_regions_than_slots(self) -> None:
        finding = only(self.with_slots(1), "VU-MEM-06")

        assert (finding.severity, finding.blame) == (Severity.ERROR, Blame.FRONT_END)
        assert (finding.frame, finding.frames) == (7, (5,))
        assert "brings the number of regions to 2, but the back-end has room for 1" in finding.message

    def test_as_many_regions_as_slots(self) -> None:
        assert found(self.with_slots(2), "VU-MEM-06") == []


class TestRemovedRegion:
    """VU-MEM-07."""

    def test_of_another_size(self) -> None:
        talk = started("CONFIGURE_MEM_SLOTS")
        add(talk, region(0))
        talk.front_end("REM_MEM_REG", **region(0, 2 * MIB))

        finding = only(talk, "VU-MEM-07")

        assert (finding.severity, finding.blame) == (Severity.ERROR, Blame.FRONT_END)
        assert (finding.frame, finding.frames) == (5, (4,))
        assert "size 0x200000" in finding.message
        assert "region 0 there has size 0x100000" in finding.message

    def test_that_never_was(self) -> None:
        talk = started("CONFIGURE_MEM_SLOTS")
        talk.front_end("REM_MEM_REG", **region(0))

        assert "there is no region at this guest address" in only(talk, "VU-MEM-07").message

    def test_that_is_there(self) -> None:
        talk = started("CONFIGURE_MEM_SLOTS")
        add(talk, region(0))
        talk.front_end("REM_MEM_REG", **region(0))

        assert found(talk, "VU-MEM-07") == []

    def test_that_may_have_been_told_before_the_capture(self) -> None:
        talk = Conversation()
        talk.front_end("REM_MEM_REG", **region(0))

        assert found(talk, "VU-MEM-07") == []


class TestTableAfterRegions:
    """VU-MEM-08."""

    def test_a_table_replaces_single_regions(self) -> None:
        talk = started("CONFIGURE_MEM_SLOTS")
        add(talk, region(0))
        table(talk, region(MIB))

        finding = only(talk, "VU-MEM-08")

        assert (finding.severity, finding.blame) == (Severity.INFO, Blame.UNKNOWN)
        assert (finding.frame, finding.frames) == (5, (4,))
        assert "since #4" in finding.message

    def test_regions_after_a_table(self) -> None:
        talk = started("CONFIGURE_MEM_SLOTS")
        table(talk, region(0))
        add(talk, region(MIB))

        assert found(talk, "VU-MEM-08") == []

    def test_the_end_of_an_exchange_of_addresses(self) -> None:
        talk = listening()
        add(talk, region(0))
        table(talk)

        assert found(talk, "VU-MEM-08") == []


class TestFewerSlots:
    """VU-MEM-09."""

    def reconnected(self, first: int, second: int) -> Conversation:
        talk = Conversation()
        for connection, slots in ((1, first), (2, second)):
            talk.open(connection=connection)
            talk.back_end("GET_MAX_MEM_SLOTS", slots=slots, connection=connection)
            talk.close("back-end", connection=connection)
        return talk

    def test_a_back_end_comes_back_with_fewer(self) -> None:
        finding = only(self.reconnected(32, 8), "VU-MEM-09")

        assert (finding.severity, finding.blame) == (Severity.INFO, Blame.BACK_END)
        assert (finding.connection, finding.frame, finding.frames) == (2, 5, (2,))
        assert "8 memory slots, but had 32 in #2" in finding.message

    def test_a_back_end_comes_back_with_as_many(self) -> None:
        assert found(self.reconnected(32, 32), "VU-MEM-09") == []


class TestTableSize:
    """VU-MEM-10."""

    def test_a_region_that_is_cut(self) -> None:
        talk = started()
        talk.front_end("SET_MEM_TABLE", payload=b"\1" + bytes(7 + 24), descriptors=files(1))

        finding = only(talk, "VU-MEM-10")

        assert (finding.severity, finding.blame, finding.frame) == (Severity.ERROR, Blame.FRONT_END, 4)
        assert "with 1 descriptors: payload is 32 bytes, expected 8 + 32 x nregions" in finding.message

    @pytest.mark.parametrize("layout", [MEM_TABLE, MEM_TABLE_TWO])
    def test_forms_that_are_known(self, layout: Any) -> None:
        talk = started()
        table(talk, region(0), layout=layout, nregions=1)

        assert found(talk, "VU-MEM-10") == []

    def test_a_message_that_never_came_to_its_end(self) -> None:
        talk = started()
        table(talk, region(0), cut_short=30)

        assert found(talk, "VU-MEM-10") == []

    def test_the_form_of_xen_without_its_feature(self) -> None:
        talk = started()
        table(talk, region(0), layout=MEM_TABLE_XEN)

        assert "(48 bytes), but XEN_MMAP is not negotiated" in only(talk, "VU-MEM-10").message


class TestRegionForm:
    """VU-MEM-11."""

    @pytest.mark.parametrize("name", ["ADD_MEM_REG", "REM_MEM_REG"])
    def test_four_bytes_too_short(self, name: str) -> None:
        talk = started("CONFIGURE_MEM_SLOTS")
        talk.front_end(name, layout=MEM_REG_SHORT, descriptors=files(1), **region(0))

        finding = only(talk, "VU-MEM-11")

        assert (finding.severity, finding.blame, finding.frame) == (Severity.ERROR, Blame.FRONT_END, 4)
        assert "36 payload bytes instead of 40" in finding.message

    def test_as_specified(self) -> None:
        talk = started("CONFIGURE_MEM_SLOTS")
        add(talk, region(0))

        assert found(talk, "VU-MEM-11") == []

    def test_the_end_of_postcopy_without_postcopy(self) -> None:
        talk = started("CONFIGURE_MEM_SLOTS")
        talk.front_end("ADD_MEM_REG", layout=MEM_REG_CONSUMED)

        assert "8 payload bytes instead of 40" in only(talk, "VU-MEM-11").message

    def test_the_end_of_postcopy(self) -> None:
        talk = listening()
        talk.front_end("ADD_MEM_REG", layout=MEM_REG_CONSUMED)

        assert found(talk, "VU-MEM-11") == []

    def test_the_end_of_a_postcopy_that_may_have_begun_before_the_capture(self) -> None:
        talk = Conversation()
        talk.front_end("ADD_MEM_REG", layout=MEM_REG_CONSUMED)

        assert found(talk, "VU-MEM-11") == []


class TestHostPointers:
    """VU-MEM-12."""

    def test_an_address_that_no_process_has(self) -> None:
        talk = started()
        table(talk, region(0, user_addr=1 << 52))

        finding = only(talk, "VU-MEM-12")

        assert (finding.severity, finding.blame, finding.frame) == (Severity.INFO, Blame.UNKNOWN, 4)
        assert "0x10000000000000" in finding.message

    @pytest.mark.parametrize("user_addr", [USER, 0x100338000])
    def test_addresses_of_processes(self, user_addr: int) -> None:
        talk = started()
        table(talk, region(0, user_addr=user_addr))

        assert found(talk, "VU-MEM-12") == []

    def test_guest_addresses_that_were_agreed_upon(self) -> None:
        talk = started("GPA_ADDRESSES")
        table(talk, region(0, user_addr=0))

        assert found(talk, "VU-MEM-12") == []


class TestAliases:
    """VU-MEM-13."""

    def test_two_regions_of_the_same_bytes(self) -> None:
        talk = started()
        table(talk, region(0), region(MIB, mmap_offset=MIB - PAGE), descriptors=(memfd(), memfd()))

        finding = only(talk, "VU-MEM-13")

        assert (finding.severity, finding.blame, finding.frame) == (Severity.WARNING, Blame.FRONT_END, 4)
        assert "overlap in the file mem#1" in finding.message

    def test_two_regions_of_one_file(self) -> None:
        talk = started()
        table(talk, region(0), region(1 << 32, mmap_offset=MIB), descriptors=(memfd(), memfd()))

        assert found(talk, "VU-MEM-13") == []

    def test_the_same_place_in_two_files(self) -> None:
        talk = started()
        table(talk, region(0), region(MIB))

        assert found(talk, "VU-MEM-13") == []

    def test_the_device_of_xen_has_no_places(self) -> None:
        talk = started("XEN_MMAP")
        table(talk, region(0), region(MIB), layout=MEM_TABLE_XEN, descriptors=(memfd(), memfd()))

        assert found(talk, "VU-MEM-13") == []


class TestXenFields:
    """VU-MEM-14."""

    def test_acknowledged_but_not_spoken(self) -> None:
        talk = started("XEN_MMAP")
        table(talk, region(0))

        finding = only(talk, "VU-MEM-14")

        assert (finding.severity, finding.blame, finding.frame) == (Severity.ERROR, Blame.FRONT_END, 4)
        assert "(40 bytes), although XEN_MMAP is acknowledged" in finding.message

    def test_spoken_in_every_message(self) -> None:
        talk = started("XEN_MMAP", "CONFIGURE_MEM_SLOTS")
        table(talk, region(0), layout=MEM_TABLE_XEN)
        add(talk, region(MIB), layout=MEM_REG_XEN)

        assert found(talk, "VU-MEM-14") == []

    def test_not_acknowledged(self) -> None:
        talk = started()
        table(talk, region(0))

        assert found(talk, "VU-MEM-14") == []


def test_a_table_of_which_the_capture_has_the_first_bytes_is_not_judged_by_its_size() -> None:
    talk = Conversation()
    talk.front_end("SET_MEM_TABLE", regions=[{}] * 4, descriptors=(memfd(),) * 4)
    talk.records[-1] = talk.records[-1]._replace(data=talk.records[-1].data[:12])

    assert found(talk, "VU-MEM-10") == []
