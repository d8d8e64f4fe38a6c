"""Lines of QEMU's device models for vhost-user, and of qemu-storage-daemon."""

from functools import partial

from vudissect.lint.dictionary.entry import Fate, LogLine, Suspect
from vudissect.lint.dictionary.program import Program
from vudissect.protocol.model import Channel
from vudissect.protocol.purpose import Purpose

_device = partial(LogLine, Program.QEMU, "QEMU hw/virtio/vhost-user-*.c, hw/block, hw/scsi, hw/input")
_gpu = partial(LogLine, Program.QEMU, "QEMU hw/display/vhost-user-gpu.c")
_backend = partial(LogLine, Program.QEMU, "QEMU backends/vhost-user.c")
_export = partial(
    LogLine, Program.STORAGE_DAEMON, "QEMU block/export/vhost-user-blk-server.c, util/vhost-user-server.c"
)
_START = (Purpose.ACK_FEATURES, Purpose.REPLACE_MEMORY, Purpose.SET_KICK, Purpose.ENABLE_RING)

LINES = (
    _device(
        (
            "Error starting vhost: {errno}",
            "Error starting vhost vsock: {errno}",
            "Error starting vhost-user-{word}: {errno}",
            "Error starting vhost-{word}: {errno}",
            "Error starting vhost",
            "Error start vhost dev",
            "unable to start vhost-user-{word}: ",
            "vhost start failed",
            "Failed to start vrings for vhost-user-",
        ),
        "The driver is ready, but the rings could not be started with the back-end: it refused something, or is gone.",
        Suspect.BACK_END,
        "the lines before it, and the log of the back-end",
        ("VU-RPL-08", "VU-RPL-05", "VU-MEM-01"),
        _START,
        Fate.CLOSED,
    ),
    _device(
        (
            "vhost-user-blk: vhost initialization failed",
            "vhost-user-scsi: vhost initialization failed",
            "vhost-user-{word}: vhost initialization failed",
        ),
        "The device could not be set up with its back-end. `Operation not permitted` is QEMU's -1: the connection "
        "failed, or a "
        "request was refused.",
        Suspect.BACK_END,
        "whether the back-end runs, is one for this type of device, and has as many queues as the device; its log",
        ("VU-RPL-08", "VU-VRG-01", "VU-CFG-01"),
        (Purpose.OFFER_FEATURES, Purpose.OFFER_PROTOCOL_FEATURES, Purpose.COUNT_QUEUES),
        Fate.CLOSED,
    ),
    _device(
        (
            "get config space failed",
            "get block config failed",
            "get device config space failed",
            "vhost_get_config failed",
            "vhost_get_config not implemented",
            "vhost_dev_get_config failed",
        ),
        "The configuration of the device could not be read from the back-end: its answer has the wrong size, it does "
        "not "
        "offer CONFIG, "
        "or closed the connection.",
        Suspect.BACK_END,
        "the size in the request and in the answer; whether the back-end is one for this type of device",
        ("VU-CFG-01", "VU-CFG-02", "VU-CFG-08", "VU-RPL-08"),
        (Purpose.READ_CONFIG,),
        Fate.CLOSED,
    ),
    _device(
        ("set device config space failed", "set config space failed", "vhost guest set device config space failed"),
        "The back-end refused a write of the driver to the configuration of the device.",
        Suspect.BACK_END,
        "which field: for a disk only wce may be written",
        ("VU-CFG-04", "VU-CFG-05", "VU-RPL-05"),
        (Purpose.WRITE_CONFIG,),
        Fate.REFUSED,
    ),
    _device(
        ("unhandled backend config change",),
        "The back-end announced a configuration change; this device ignores that.",
        Suspect.BACK_END,
        "why the back-end sends it",
        ("VU-CFG-06", "VU-CFG-10"),
        (Purpose.CHANGE_CONFIG,),
        channel=Channel.BACKEND,
    ),
    _device(
        (
            "Error set inflight format: {errno}",
            "Error setting inflight format",
            "Error get inflight: {errno}",
            "Error set inflight: {errno}",
            "Error getting inflight: {errno}",
            "Error getting inflight",
            "Error setting inflight: {errno}",
            "Error setting inflight",
        ),
        "The memory for requests in flight could not be exchanged with the back-end.",
        Suspect.BACK_END,
        "descriptor, size and number of queues of the exchange",
        ("VU-INF-01", "VU-INF-02"),
        (Purpose.OFFER_INFLIGHT, Purpose.SET_INFLIGHT),
        Fate.REFUSED,
    ),
    _device(
        (
            "vhost-user-blk: invalid number of IO queues",
            "vhost-user-blk: queue size must be non-zero",
            "num-request-queues property must be larger than 0",
            "queue-size property must be",
            "missing tag property",
            "tag property cannot be empty",
            "tag property must be {n} bytes or less",
            "need to define device id",
            "vhost-user-blk: not connected",
        ),
        "A property of the device has a value that cannot be used.",
        Suspect.SETTINGS,
        "the -device option that is named on the line",
    ),
    _device(
        (
            "invalid vhost-vsock event virtqueue element",
            "vhost-vsock event virtqueue element is too short",
            "vhost-vsock missed transport reset event",
        ),
        "The driver's buffers in the event queue of the vsock device cannot be used.",
        Suspect.GUEST,
        "the guest's driver",
    ),
    _device(
        ("vhost-scsi does not support changing the sense data and CDB sizes",),
        "The driver asks for sizes of sense data and commands that the back-end does not support.",
        Suspect.GUEST,
        "the guest's driver",
        ("VU-CFG-04",),
        (Purpose.WRITE_CONFIG,),
    ),
    _device(
        (
            "slave read() == 0",
            "vhost_user_slave_",
            "Failed to change backend channel FD to non-blocking",
            "Failed to read from slave",
            "Failed to read payload from slave",
            "Failed to send msg reply to slave",
        ),
        "Something is wrong with the socket of the back-end channel.",
        Suspect.BACK_END,
        "whether the back-end closed it",
        ("VU-BEC-02", "VU-FD-11"),
        (Purpose.OPEN_CHANNEL,),
        named=True,
    ),
    _gpu(
        ("unhandled message {request} {n}",),
        "A message on the GPU channel that QEMU does not know.",
        Suspect.BACK_END,
        "versions of both programs",
        ("VU-GPU-01",),
        channel=Channel.GPU,
        named=True,
    ),
    _gpu(
        (
            "failed to read msg header: {n}, {errno}",
            "failed to read msg flags",
            "failed to read msg size",
            "failed to read msg payload {n} != {n}",
        ),
        "The GPU channel broke, or a message on it was cut short.",
        Suspect.BACK_END,
        "whether vhost-user-gpu exited",
        ("VU-GPU-01", "VU-HDR-07"),
        channel=Channel.GPU,
        fate=Fate.CLOSED,
    ),
    _gpu(
        (
            "invalid scanout",
            "console doesn't support GL",
            "EDID requested but the backend doesn't support it",
            "Failed to make socket chardev",
            "Failed to set vhost-user-gpu socket",
        ),
        "The display and the GPU back-end do not agree: a scanout that does not exist, no OpenGL, no EDID.",
        Suspect.EITHER,
        "max_outputs= and -display ...,gl=on; what the back-end offers",
        ("VU-GPU-01", "VU-GPU-02"),
        channel=Channel.GPU,
    ),
    _backend(
        ("vhost initialization failed: requires kvm",),
        "This device works only with KVM.",
        Suspect.SETTINGS,
        "-accel kvm and /dev/kvm",
    ),
    _export(
        ("vu_panic: ",),
        "libvhost-user gave up: the rest of the line gives the reason. The daemon closes the connection.",
        Suspect.FRONT_END,
        "the rest of the line",
        ("VU-RPL-08",),
    ),
    _export(
        ("A maximum of {n} fds are allowed, however got {n} fds now",),
        "A message carries more descriptors than the daemon accepts.",
        Suspect.FRONT_END,
        "the message with too many descriptors",
        ("VU-FD-05",),
    ),
    _export(
        ("Only one vhost-user client is allowed to connect the server one time",),
        "A second front-end tried to connect; the daemon serves one at a time.",
        Suspect.SETTINGS,
        "which process has the connection; an old QEMU that still runs",
        fate=Fate.UNREACHABLE,
    ),
    _export(
        (
            "Failed to initialize libvhost-user",
            "Only socket address types 'unix' and 'fd' are supported",
            "Failed to listen on fd socket",
            "num-queues must be greater than 0",
        ),
        "The daemon could not set up its vhost-user server.",
        Suspect.SETTINGS,
        "the --export option",
        fate=Fate.UNREACHABLE,
    ),
    _export(
        (
            "virtio-blk request missing headers",
            "virtio-blk request outhdr too short",
            "virtio-blk request inhdr too short",
            "Invalid size {n}, expected {n}",
            "Invalid discard/write zeroes",
        ),
        "A request in the ring of the disk is malformed.",
        Suspect.GUEST,
        "addresses of the ring; the guest's driver",
        ("VU-MEM-05", "VU-VRG-05"),
        (Purpose.SET_RING_ADDRESSES,),
    ),
    _export(
        (
            "Invalid Read IOV count",
            "Invalid Write IOV count",
            "Invalid outhdr size",
            "Invalid inhdr size",
            "Invalid size {n}, expect {n}",
            "Invalid virtio-scsi req header",
            "Invalid virtio-scsi rsp header",
            "Error fetching VQ",
            "Error serving SCSI command",
            "illegal resource specified",
            "resource creation failed",
            "command size incorrect",
            "response size incorrect",
            "command data size incorrect",
        ),
        "A request in the ring of the device is malformed.",
        Suspect.GUEST,
        "the guest's driver; addresses of the ring and regions",
        ("VU-MEM-05", "VU-VRG-05"),
        (Purpose.SET_RING_ADDRESSES,),
    ),
    _export(
        (
            "Failed to initialize libvhost-user-glib",
            "Invalid vhost-user socket",
            "Failed to listen on {path}",
            "Please specify either --fd or --socket-path",
            "Error to open block device",
        ),
        "The daemon could not set itself up.",
        Suspect.SETTINGS,
        "its options, its socket and the device that it opens",
        fate=Fate.UNREACHABLE,
    ),
    _device(
        ("check_slave_message_entries", "VhostUserFSSlaveMsg size", "vhost_user_fs_slave_"),
        "A request for the DAX window of virtio-fs has a size that this QEMU does not know: these messages were never "
        "in upstream QEMU and changed.",
        Suspect.BACK_END,
        "QEMU and virtiofsd from the same virtio-fs branch, or no cache-size=",
        ("VU-HDR-07", "VU-SHM-01"),
        (Purpose.MAP_SHARED_MEMORY,),
        Fate.REFUSED,
        channel=Channel.BACKEND,
    ),
    _device(
        ("vhost-user backend supports VHOST_USER_PROTOCOL_F_CONFIG but QEMU does not",),
        "The back-end offers CONFIG, which this device does not use in QEMU; it is left out.",
        Suspect.NOBODY,
        "whether the back-end is one for this type of device",
        ("VU-CFG-01",),
        (Purpose.OFFER_PROTOCOL_FEATURES, Purpose.ACK_PROTOCOL_FEATURES),
    ),
)
