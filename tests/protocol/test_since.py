"""When something was added, as data and as text."""

import pytest

from vudissect.protocol.since import UNKNOWN, Since, qemu


@pytest.mark.parametrize(
    ("since", "text"),
    [
        (qemu("2.9", "c5f048d8fb"), "QEMU 2.9 (c5f048d8fb)"),
        (qemu("2.10"), "QEMU 2.10"),
        (qemu("", "4c3e257b5e"), "QEMU 4c3e257b5e"),
        (
            qemu("5.1", "f1aeb14b08", note="without a descriptor since 7.1"),
            "QEMU 5.1 (f1aeb14b08); without a descriptor since 7.1",
        ),
        (Since("SPDK", "18.04"), "SPDK 18.04"),
        (Since("draft of", "2023-09"), "draft of 2023-09"),
        (UNKNOWN, ""),
    ],
)
def test_it_reads_as_people_write_it(since: Since, text: str) -> None:
    assert str(since) == text


@pytest.mark.parametrize(
    ("release", "other"),
    [
        (qemu("2.12"), qemu("2.12")),
        (qemu("2.12"), qemu("2.9")),
        (qemu("10.0"), qemu("9.2")),
        (Since("draft of", "2023-09"), Since("draft of", "2023-07")),
    ],
)
def test_a_release_includes_what_came_before(release: Since, other: Since) -> None:
    assert release.includes(other)


@pytest.mark.parametrize(
    ("release", "other"),
    [
        (qemu("2.9"), qemu("2.12")),
        (qemu("9.2"), qemu("10.0")),
        (qemu("11.1"), Since("virtio", "1.0")),
        (qemu("11.1"), qemu("", "4c3e257b5e")),
        (qemu("11.1"), UNKNOWN),
    ],
)
def test_a_release_does_not_include_later_or_undated_additions(release: Since, other: Since) -> None:
    assert not release.includes(other)
