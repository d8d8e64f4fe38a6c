"""Command lines of real programs: which sockets are found, and how the command line is changed."""

from typing import NamedTuple

import pytest

from vudissect.host.address import AddressError
from vudissect.launch.plan import Plan, config_files, fill, plan
from vudissect.protocol.model import Side


class Case(NamedTuple):
    """A command line; the word that is changed, and each socket as `NAME DEVICE: COMMAND'S SIDE, WHO LISTENS`."""

    words: str
    changed: str
    sockets: str


BLK = "-device vhost-user-blk-pci,chardev=c,id=disk0"
BLK_JSON = '-device {"driver":"vhost-user-blk-pci","chardev":"c","id":"virtio-disk0"}'
NET = (
    '-netdev {"type":"vhost-user","chardev":"c","id":"hostnet0"} '
    '-device {"driver":"virtio-net-pci","netdev":"hostnet0","id":"net0"}'
)
CASES = {
    "qemu": Case(f"qemu -chardev socket,id=c,path=/a {BLK}", "socket,id=c,path=T/0", "disk0 blk: front-end calls /a"),
    "libvirt": Case(
        f"qemu -chardev socket,id=c,path=/a,reconnect=1 {BLK_JSON}",
        "socket,id=c,path=T/0,reconnect=1",
        "virtio-disk0 blk: front-end calls /a",
    ),
    "server": Case(
        f"qemu -chardev socket,id=c,path=/a,server=on {NET}",
        "socket,id=c,path=T/0,server=on",
        "net0 net: front-end listens at /a",
    ),
    "old server": Case(
        f"qemu -chardev socket,path=/a,id=c,server,nowait {BLK}",
        "socket,path=T/0,id=c,server,nowait",
        "disk0 blk: front-end listens at /a",
    ),
    "no longer a server": Case(
        f"qemu -chardev socket,path=/a,id=c,server=off {BLK}",
        "socket,path=T/0,id=c,server=off",
        "disk0 blk: front-end calls /a",
    ),
    "milliseconds": Case(
        f"qemu -chardev socket,id=c,path=/a,reconnect-ms=500 {BLK}",
        "socket,id=c,path=T/0,reconnect-ms=500",
        "disk0 blk: front-end calls /a",
    ),
    "comma": Case(
        f"qemu -chardev socket,id=c,path=/a,,b,server=on {BLK}",
        "socket,id=c,path=T/0,server=on",
        "disk0 blk: front-end listens at /a,b",
    ),
    "abstract": Case(
        f"qemu -chardev socket,id=c,path=a,abstract=on {BLK}", "socket,id=c,path=T/0", "disk0 blk: front-end calls @a"
    ),
    "descriptor": Case(
        f"qemu -chardev socket,id=c,fd=7,server=on {BLK}",
        "socket,id=c,server=on,path=T/0",
        "disk0 blk: front-end listens at fd:7",
    ),
    "without an id": Case(
        "qemu -chardev socket,id=c,path=/a -netdev vhost-user,id=n,chardev=c",
        "socket,id=c,path=T/0",
        "n net: front-end calls /a",
    ),
    "two dashes": Case(
        f"qemu --chardev=socket,id=c,path=/a {BLK}", "--chardev=socket,id=c,path=T/0", "disk0 blk: front-end calls /a"
    ),
    "gpu": Case(
        "qemu -chardev socket,id=c,path=/a -device vhost-user-vga,id=video0,chardev=c",
        "socket,id=c,path=T/0",
        "video0 gpu: front-end calls /a",
    ),
    "file system": Case(
        "qemu -chardev socket,id=c,path=/a -device vhost-user-fs-pci,chardev=c,tag=home",
        "socket,id=c,path=T/0",
        "c fs: front-end calls /a",
    ),
    "object": Case(
        "qemu -chardev socket,id=c,path=/a -object cryptodev-vhost-user,id=k,chardev=c "
        "-device virtio-crypto-pci,id=crypto0,cryptodev=k",
        "socket,id=c,path=T/0",
        "crypto0 crypto: front-end calls /a",
    ),
    "qemu-storage-daemon": Case(
        "qsd --export type=vhost-user-blk,id=disk,addr.type=unix,addr.path=/a,node-name=n",
        "type=vhost-user-blk,id=disk,addr.type=unix,addr.path=T/0,node-name=n",
        "disk blk: back-end listens at /a",
    ),
    "its JSON": Case(
        'qsd --export {"type":"vhost-user-blk","id":"disk","addr":{"type":"unix","path":"/a"}}',
        '{"type":"vhost-user-blk","id":"disk","addr":{"type":"unix","path":"T/0"}}',
        "disk blk: back-end listens at /a",
    ),
    "its descriptor": Case(
        "qsd --export vhost-user-blk,id=disk,addr.type=fd,addr.str=3",
        "vhost-user-blk,id=disk,addr.type=unix,addr.path=T/0",
        "disk blk: back-end listens at fd:3",
    ),
    "libblkio": Case(
        "qsd --blockdev driver=virtio-blk-vhost-user,node-name=n,path=/a",
        "driver=virtio-blk-vhost-user,node-name=n,path=T/0",
        "n blk: front-end calls /a",
    ),
    "virtiofsd": Case(
        "/usr/libexec/virtiofsd --socket-path=/a --tag home", "--socket-path=T/0", "home fs: back-end listens at /a"
    ),
    "virtiofsd, two words": Case("virtiofsd --socket-path /a", "T/0", "fs fs: back-end listens at /a"),
    "virtiofsd, descriptor": Case("virtiofsd --fd=3", "--socket-path=T/0", "fs fs: back-end listens at fd:3"),
    "virtiofsd, first form": Case(
        "virtiofsd -o vhost_user_socket=/a,cache=none",
        "vhost_user_socket=T/0,cache=none",
        "fs fs: back-end listens at /a",
    ),
    "testpmd": Case(
        "dpdk-testpmd --vdev net_vhost0,iface=/a,queues=1 -- -i",
        "net_vhost0,iface=T/0,queues=1",
        "net_vhost0 net: back-end listens at /a",
    ),
    "testpmd as client": Case(
        "dpdk-testpmd --vdev=net_vhost0,iface=/a,client=1",
        "--vdev=net_vhost0,iface=T/0,client=1",
        "net_vhost0 net: back-end calls /a",
    ),
    "virtio_user": Case(
        "dpdk-testpmd --vdev net_virtio_user0,path=/a",
        "net_virtio_user0,path=T/0",
        "net_virtio_user0 net: front-end calls /a",
    ),
    "virtio_user as server": Case(
        "dpdk-testpmd --vdev net_virtio_user0,path=/a,server=1",
        "net_virtio_user0,path=T/0,server=1",
        "net_virtio_user0 net: front-end listens at /a",
    ),
    "cloud-hypervisor": Case(
        "cloud-hypervisor --disk path=x vhost_user=true,socket=/a,id=d",
        "vhost_user=true,socket=T/0,id=d",
        "d blk: front-end calls /a",
    ),
    "cloud-hypervisor net": Case(
        "cloud-hypervisor --net vhost_user=on,socket=/a,vhost_mode=server",
        "vhost_user=on,socket=T/0,vhost_mode=server",
        "net net: front-end listens at /a",
    ),
    "crosvm": Case(
        "crosvm run --vhost-user type=block,socket=/a", "type=block,socket=T/0", "blk blk: front-end calls /a"
    ),
    "crosvm, old form": Case("crosvm run --vhost-user-fs /a:home", "T/0:home", "home fs: front-end calls /a"),
    "crosvm, sound": Case(
        "crosvm run --vhost-user type=sound,socket=/a", "type=sound,socket=T/0", "sound sound: front-end calls /a"
    ),
    "QEMU's word for sound": Case(
        "qemu -chardev socket,id=c,path=/a -device vhost-user-snd-pci,chardev=c,id=sound0",
        "socket,id=c,path=T/0",
        "sound0 sound: front-end calls /a",
    ),
    "crosvm device": Case("crosvm device block --socket-path /a --file x", "T/0", "blk blk: back-end listens at /a"),
}


def shown(found: Plan) -> list[str]:
    return [
        f"{each.socket.name} {each.socket.device}: {each.socket.side.label} "
        f"{'listens at' if each.socket.listens else 'calls'} {each.socket.address}"
        for each in found.moves
    ]


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_socket_is_found(case: Case) -> None:
    assert shown(plan(case.words.split(), "T", {})) == [case.sockets]


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_only_its_word_is_changed(case: Case) -> None:
    before = case.words.split()

    after = plan(before, "T", {}).words

    assert [new for old, new in zip(before, after, strict=True) if old != new] == [case.changed]


@pytest.mark.parametrize(
    "words",
    [
        "qemu -chardev socket,id=mon,path=/a,server=on -mon chardev=mon",
        "qemu -S -no-user-config -machine none -qmp unix:/a,server=on,wait=off -daemonize",
        "dpdk-testpmd --vdev net_virtio_user0,path=/dev/vhost-net",
        "cloud-hypervisor --disk path=x --net tap=t",
        "virtiofsd --print-capabilities",
        "qemu -chardev",
        'qemu -device {"driver"',
    ],
)
def test_what_is_not_vhost_user_is_left_as_it_is(words: str) -> None:
    assert plan(words.split(), "T", {}) == Plan(words.split())


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (f"qemu -chardev null,id=c {BLK}", "its character device is not a socket but null"),
        (f"qemu -chardev socket,id=c,host=h,port=1 {BLK}", "its socket is not a Unix socket, which vhost-user needs"),
        (f"qemu -chardev socket,id=c,fd=f {BLK}", "its socket is the descriptor 'f', which comes through the monitor"),
        (
            f"qemu -chardev socket,id=c,path=a,abstract=on,tight=off {BLK}",
            "its abstract socket is padded with zeros (tight=off): use tight=on",
        ),
        ("qsd --export vhost-user-blk,id=disk0,addr.type=vsock", "its address has the type vsock: use addr.type=unix"),
    ],
)
def test_a_socket_that_cannot_be_moved_is_named_with_the_reason(words: str, reason: str) -> None:
    found = plan(words.split(), "T", {})

    assert (found.words, [(each.name, each.reason) for each in found.left]) == (words.split(), [("disk0", reason)])


def test_devices_with_the_same_name_are_told_apart() -> None:
    found = plan(["dpdk-testpmd", "--vdev", "net_vhost0,iface=/a", "--vdev", "net_vhost0,iface=/b"], "T", {})

    assert [each.socket.name for each in found.moves] == ["net_vhost0", "net_vhost0-2"]


CONFIG = """[chardev "c"]
  backend = "socket"
  path = "/a"

[device "disk0"]
  driver = "vhost-user-blk-pci"
  chardev = "c"
"""


def test_a_socket_in_a_configuration_file_is_moved_in_a_copy_of_it() -> None:
    words = ["qemu", "-readconfig", "vm.cfg"]
    assert config_files(words) == ["vm.cfg"]

    found = plan(words, "T", {"vm.cfg": CONFIG})

    assert shown(found) == ["disk0 blk: front-end calls /a"]
    assert found.words == ["qemu", "-readconfig", "T/config-0"]
    assert found.files == {"T/config-0": CONFIG.replace("/a", "T/0")}


def test_a_place_in_the_command_line_is_filled() -> None:
    found = fill(["my-backend", "--socket={socket}"], "T", "dev.sock", listens=True)

    assert found.words == ["my-backend", "--socket=T/0"]
    assert [(each.socket.side, str(each.outside)) for each in found.moves] == [(Side.BACK_END, "dev.sock")]


def test_an_address_for_a_place_has_to_be_one() -> None:
    with pytest.raises(AddressError, match="use a path"):
        fill(["my-backend", "{socket}"], "T", "", listens=True)
