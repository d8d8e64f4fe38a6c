"""What a bundle leaves out, and what it must not."""

import pytest

from tests.conversation import Conversation, file, memfd
from vudissect.bundle.redact import NoRedaction, Redaction
from vudissect.capture.record import Mark
from vudissect.protocol.model import Channel


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("-drive file=/srv/customers/acme.qcow2,if=none", "-drive file=/path-1.qcow2,if=none"),
        ("/run/a.sock and /run/b.sock and /run/a.sock", "/path-1.sock and /path-2.sock and /path-1.sock"),
        (
            "qemu-system-x86_64 -name guest=billing,debug-threads=on",
            "qemu-system-x86_64 -name guest=name-1,debug-threads=on",
        ),
        ("-uuid 1234-5678 -device virtio-blk-pci,serial=XK17", "-uuid name-1 -device virtio-blk-pci,serial=name-2"),
        ("the host is db7.example.org", "the host is host-1"),
        (
            "/usr/bin/qemu-system-x86_64 /dev/vhost-net /proc/self/fd",
            "/usr/bin/qemu-system-x86_64 /dev/vhost-net /proc/self/fd",
        ),
        ("/memfd:pc.ram (deleted)", "/memfd:pc.ram (deleted)"),
        ("socket:[19741] stream, anon_inode:[eventfd]", "socket:[19741] stream, anon_inode:[eventfd]"),
        ("ratio 3/4 and either/or", "ratio 3/4 and either/or"),
    ],
)
def test_a_text_has_no_names_of_the_site(text: str, shown: str) -> None:
    assert Redaction("db7.example.org").text(text) == shown


def test_what_was_replaced_is_counted() -> None:
    redaction = Redaction()
    redaction.text("/run/a.sock /run/a.sock serial=1")
    assert redaction.counts == {"paths": 2, "names": 1}


def test_a_record_has_no_users_and_paths() -> None:
    talk = Conversation()
    talk.open("qemu", "back", front_end_uid=107, front_end_executable="/opt/acme/qemu", front_end_pid=12)
    (record,) = talk.records
    details = Redaction().record(record).details
    assert "front_end_uid" not in details
    assert (details["front_end_executable"], details["front_end_pid"]) == ("/path-1/qemu", 12)
    assert details["front_end_command"] == "qemu"


def test_the_name_of_a_file_goes_and_that_of_a_memfd_stays() -> None:
    talk = Conversation()
    talk.front_end("SET_VRING_ERR", value=0, descriptors=(file("/srv/acme/ram", 4096), memfd("ram", 4096)))
    first, second = Redaction().record(talk.records[0]).descriptors
    assert first.name == "/path-1"
    assert second == talk.records[0].descriptors[1]


def test_keys_are_replaced_by_zeros() -> None:
    talk = Conversation()
    talk.front_end("CREATE_CRYPTO_SESSION", payload=bytes(55) + b"\1" * 1017)
    record = Redaction().record(talk.records[0])
    assert record.marks & Mark.KEYS_MASKED
    assert b"\1" * 8 not in record.data[60:1000]


def test_a_screen_is_cut_off() -> None:
    talk = Conversation()
    talk.back_end("UPDATE", Channel.GPU, payload=b"\xff" * 5000)
    record = Redaction().record(talk.records[0])
    assert (len(record.data), record.length) == (64, 5012)


def test_nothing_is_left_out_if_that_is_wanted() -> None:
    talk = Conversation()
    talk.open("qemu", "back", front_end_uid=107, front_end_executable="/opt/acme/qemu")
    redaction = NoRedaction()
    assert redaction.record(talk.records[0]) == talk.records[0]
    assert redaction.text("/srv/acme") == "/srv/acme"
