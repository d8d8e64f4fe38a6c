"""Known lines of logs: each is recognised, read with the message table, and tied to rules."""

import json

import pytest

from tests.lint.log_lines import OF_OTHERS, OF_PUBLIC_REPORTS, OF_QEMU
from vudissect.lint.dictionary.entry import LogLine, Suspect
from vudissect.lint.dictionary.lines import LOG_LINES
from vudissect.lint.dictionary.program import Program
from vudissect.lint.dictionary.recognise import Recognised, recognise
from vudissect.lint.rules import ALL_RULES


def only(text: str) -> Recognised:
    (found,) = recognise([text])
    return found


@pytest.mark.parametrize(("program", "suspect", "text"), [*OF_PUBLIC_REPORTS, *OF_OTHERS])
def test_a_line_is_known(program: Program, suspect: Suspect, text: str) -> None:
    first = only(text).entries[0]

    assert (first.program, first.suspect) == (program, suspect)


@pytest.mark.parametrize(("suspect", "text"), OF_QEMU)
def test_a_line_of_qemu_is_known(suspect: Suspect, text: str) -> None:
    first = only(text).entries[0]

    assert (first.program, first.suspect) == (Program.QEMU, suspect)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("qemu: Failed to read msg header. Read 0 instead of 12. Original request 1.", "VU-RPL-08"),
        ("Received unexpected msg type. Expected 22 received 40", "VU-RPL-02"),
        ("Failed to read msg header. Flags 0xd instead of 0x5.", "VU-HDR-05"),
        ("The maximum number of queues supported by the backend is 1", "VU-VRG-01"),
        ("postcopy reply not fully consumed", "VU-PCP-02"),
        ("VHOST_CONFIG: expect 0 FDs for request VHOST_USER_REM_MEM_REG, received 1", "VU-FD-07"),
        ("vu_panic: remapping queue 0 during setmemtable", "VU-VRG-05"),
        ("Guest says index 61440 > 128 is available", "VU-MEM-05"),
        ("HandleRequest(InvalidParam)", "VU-HDR-07"),
        ("vhost_blk.c: *ERROR*: Guest memory size is not a 2MB multiple", "VU-MEM-04"),
    ],
)
def test_a_line_points_to_rules(text: str, rule: str) -> None:
    assert rule in {rule for entry in only(text).entries for rule in entry.rules}


PREFIXES = [
    "{}",
    "qemu-system-x86_64: -device vhost-user-blk-pci,chardev=c,id=d: {}",
    "2024-05-01T10:00:00.123456Z qemu-kvm: {}",
    "May 26 18:39:01 node qemu-kvm[4711]: {}",
    "<11>1 2024-05-01T10:00:00Z host qemu 4711 - - {}",
    "-- May 26 18:39:01 node libvirtd[1]: qemu-system-x86_64: {}",
    "2024-05-01T10:00:00.000000000Z stderr F qemu-kvm: {}",
    "[pod/vm/compute] qemu-kvm: {}",
    "\x1b[2m2024-05-01T10:00:00Z\x1b[0m \x1b[31mERROR\x1b[0m qemu: \x1b[1m{}\x1b[0m",
    'time="2024-05-01T10:00:00Z" level=error msg="qemu-kvm: {}" name=containerd-shim-v2',
    '{{"log":"qemu-kvm: {}\\n","stream":"stderr","time":"2024-05-01T10:00:00Z"}}',
    '{{"MESSAGE":"{}","_COMM":"qemu-kvm","PRIORITY":"6"}}',
    "  |  {}",
]


@pytest.mark.parametrize("prefix", PREFIXES)
def test_a_line_is_known_whatever_comes_before_it(prefix: str) -> None:
    found = only(prefix.format("Failed to read msg header. Read 0 instead of 12. Original request 11."))

    assert found.entries[0].program is Program.QEMU
    assert [(named.role, named.number) for named in found.facts.messages] == [("request", 11)]


def test_quotes_in_json_are_read() -> None:
    line = json.dumps({"msg": 'Failed: VhostUserProtocol(SocketConnect(Os { code: 2, message: "No such file" }))'})

    assert [errno.name for errno in only(line).facts.errnos] == ["ENOENT"]


@pytest.mark.parametrize(
    "text",
    [
        "all went well",
        "Failed to set message fds",
        "Failed to read msg body. Read 0 instead of 12.",
        "reconnecting...",
        "Descriptor not found",
        "capability",
        "vhost message was handled",
        "remapping queue during setmemtable",
        "connect error, see above",
        "eth0: Set features done",
        "The number of queues supported is 1",
    ],
)
def test_a_line_that_only_looks_like_one_is_not_known(text: str) -> None:
    assert only(text).entries == ()


@pytest.mark.parametrize(
    ("text", "programs"),
    [
        (
            "cloud-hypervisor: Failed to activate device: VhostUserSetup(VhostUserMemoryRegion(NoMemoryRegion))",
            [Program.CLOUD_HYPERVISOR, Program.CLOUD_HYPERVISOR, Program.RUST_VMM],
        ),
        (
            "[ERROR virtiofsd] Waiting for daemon failed: HandleRequest(InvalidMessage)",
            [Program.VIRTIOFSD, Program.RUST_VMM, Program.RUST_VMM],
        ),
    ],
)
def test_errors_inside_an_error_are_explained_too(text: str, programs: list[Program]) -> None:
    assert [entry.program for entry in only(text).entries] == programs


def test_the_program_that_is_named_decides_between_like_texts() -> None:
    text = "Received unexpected msg type"

    assert only(f"spdk[12]: {text}").entries[0].program is Program.SPDK
    assert only(f"virtio_user_ethdev: {text}").entries[0].program is Program.VIRTIO_USER


@pytest.mark.parametrize("line", LOG_LINES, ids=lambda line: line.texts[0])
class TestEveryEntry:
    def test_it_points_to_rules_that_there_are(self, line: LogLine) -> None:
        assert set(line.rules) <= {rule.id for rule in ALL_RULES}

    def test_it_says_what_to_do(self, line: LogLine) -> None:
        assert line.meaning.endswith(".")
        assert line.look
        assert line.source

    def test_its_texts_are_found(self, line: LogLine) -> None:
        values = {"message": "GET_CONFIG", "word": "x", "any": "x", "path": "/tmp/s"}
        for text in line.texts:
            for place in ("n", "ring", "errno", "request", "expected", "received"):
                values[place] = "7"
            said = text
            for place, value in values.items():
                said = said.replace(f"{{{place}}}", value)
            traces = {Program.QEMU: "qemu-kvm", Program.DPDK: "VHOST_CONFIG", Program.RUST_VMM: "vhost::vhost_user"}
            trace = traces.get(line.program) or line.program.title.lower()

            assert any(form.search(said, said.lower()) for form in line.forms), text
            assert only(f"{TRACES.get(line.program, trace)}: {said}.").entries, text


TRACES = {
    Program.VIRTIO_USER: "virtio_user",
    Program.OPEN_VSWITCH: "netdev_dpdk",
    Program.RUST_DAEMON: "vhost_device_vsock",
    Program.VPP: "vpp[1]",
    Program.CLOUD_HYPERVISOR: "cloud-hypervisor",
    Program.KERNEL: "kernel",
    Program.KATA: "kata",
    Program.YC_LIBVHOST: "vhd_",
}


class TestMessages:
    def test_numbers_are_read_with_the_table(self) -> None:
        found = only("Received unexpected msg type. Expected 22 received 40")

        assert [(each.role, each.number, each.row and each.row.name) for each in found.facts.messages] == [
            ("expected", 22, "IOTLB_MSG"),
            ("received", 40, "GET_STATUS"),
        ]

    def test_those_of_the_back_end_channel_are_its_own(self) -> None:
        (named,) = only("Received unexpected msg type: 2.").facts.messages

        assert (named.number, named.row.name) == (2, "CONFIG_CHANGE_MSG")

    def test_a_number_that_nobody_published_has_no_row(self) -> None:
        (named,) = only("Unhandled request: 1004").facts.messages

        assert (named.role, named.number, named.row.known) == ("request", 1004, False)

    def test_a_name_beside_the_number_is_kept(self) -> None:
        (named,) = only("vhost_user_write req:999 (VHOST_USER_SOMETHING_NEW) flags:0x1").facts.messages

        assert (named.number, named.called) == (999, "SOMETHING_NEW")

    @pytest.mark.parametrize(
        ("text", "name"),
        [
            ("VHOST_USER_SET_MEM_TABLE", "SET_MEM_TABLE"),
            ("VHOST_USER_SET_SLAVE_REQ_FD", "SET_BACKEND_REQ_FD"),
            ("vhost_set_vring_kick failed", "SET_VRING_KICK"),
            ("postcopy set-mem-table", "SET_MEM_TABLE"),
            ("VhostUserSetVringEnable(x)", "SET_VRING_ENABLE"),
            ("Set vring addr failed", "SET_VRING_ADDR"),
            ("request Ok(GET_QUEUE_NUM)", "GET_QUEUE_NUM"),
        ],
    )
    def test_names_are_read_however_they_are_written(self, text: str, name: str) -> None:
        assert [row.name for row in only(text).facts.rows] == [name]

    @pytest.mark.parametrize("text", ["vring kick idx:0 file:46", "VhostUser", "GET and SET", "a none message"])
    def test_words_are_not_names(self, text: str) -> None:
        assert only(text).facts.rows == ()


class TestAnUnknownLine:
    def test_it_is_named_with_what_is_in_it(self) -> None:
        found = only("qemu-kvm: vhost-user frobnication of queue 3 failed on /run/vhost.sock: errno 104 (request 11)")

        assert found.entries == ()
        assert found.program is Program.QEMU
        assert [named.number for named in found.facts.messages] == [11]
        assert [errno.name for errno in found.facts.errnos] == ["ECONNRESET"]
        assert (found.facts.rings, found.facts.sockets) == ((3,), ("/run/vhost.sock",))

    @pytest.mark.parametrize(
        ("text", "name"),
        [
            ("it failed: Connection refused", "ECONNREFUSED"),
            ("it failed (os error 13)", "EACCES"),
            ("Os { code: 32, kind: BrokenPipe }", "EPIPE"),
            ("errno is 12", "ENOMEM"),
            ("ret=EPROTO", "EPROTO"),
        ],
    )
    def test_errors_are_read_however_they_are_written(self, text: str, name: str) -> None:
        assert [errno.name for errno in only(text).facts.errnos] == [name]

    @pytest.mark.parametrize(
        ("text", "worth_it"),
        [
            ("vhost-user: something unexpected", True),
            ("handling of VHOST_USER_SET_OWNER failed", True),
            ("-netdev type=vhost-user,id=n", False),
            ("disk full: No space left on device", False),
        ],
    )
    def test_of_a_log_only_complaints_about_vhost_user_count(self, text: str, worth_it: bool) -> None:
        assert bool(list(recognise([text], of_log=True))) is worth_it


def test_lines_are_counted_and_empty_ones_passed_over() -> None:
    found = recognise(["booting", "Received bad msg size.", "", "Failed to set msg fds."])

    assert [each.number for each in found] == [1, 2, 4]
