"""Lines of QEMU's sockets and of migration that concern vhost-user devices."""

from functools import partial

from vudissect.lint.dictionary.entry import Fate, LogLine, Suspect
from vudissect.lint.dictionary.program import Program
from vudissect.protocol.purpose import Purpose

_socket = partial(LogLine, Program.QEMU, "QEMU chardev/char-socket.c, net/vhost-user.c")
_migration = partial(LogLine, Program.QEMU, "QEMU migration/")

LINES = (
    _socket(
        (
            'chardev "{word}" is not reconnectable',
            'chardev "{word}" does not support FD passing',
            'chardev "{word}" not found',
            "vhost-user requires frontend driver virtio-net-",
            "vhost-user number of queues must be in range",
            "missing chardev",
            "chardev is mandatory",
            "'chardev' parameter expects a valid character device",
        ),
        "The device has no chardev that can be used: vhost-user needs a chardev of type socket with a Unix path.",
        Suspect.SETTINGS,
        "-chardev socket,id=...,path=... and chardev= of the device",
    ),
    _socket(
        (
            "Failed to connect socket {path}: ",
            "Failed to connect to '{path}': ",
            "Failed to connect socket: ",
            "Unable to connect character device {word}: ",
        ),
        "Nothing accepts connections on the back-end's socket.",
        Suspect.SETTINGS,
        "whether the back-end runs and listens there, its user and mode, and SELinux or AppArmor; reconnect= waits "
        "for it",
        fate=Fate.UNREACHABLE,
    ),
    _socket(
        ("Failed to bind socket", "Failed to unlink socket", "Failed to listen on socket"),
        "QEMU cannot listen on the socket that the back-end connects to (server=on).",
        Suspect.SETTINGS,
        "whether the directory exists and QEMU may write there",
        fate=Fate.UNREACHABLE,
    ),
    _socket(
        ("info: QEMU waiting for connection on: ", "QEMU waiting for connection on: disconnected:unix:{path}"),
        "QEMU listens, and does not start the VM before the back-end has connected.",
        Suspect.NOBODY,
        "whether the back-end is a client of this socket",
        fate=Fate.UNREACHABLE,
    ),
    _socket(
        ("vhost_user_event chr: {word} got event: {n}", "chr_event"),
        "QEMU's trace: the socket was connected (event 1) or lost (event 5).",
        Suspect.NOBODY,
        "which side closed it",
        named=True,
    ),
    _migration(
        (
            "error while loading state for instance {n} of device '{any}virtio-",
            "error while loading state for instance {n} of device '{any}vhost-user",
            "load of migration failed: {any}",
            "error while loading state section",
        ),
        "The destination could not load the state of a device, so the migration failed.",
        Suspect.EITHER,
        "the first error before it; different back-ends, queues or options on the two hosts",
        ("VU-DST-01", "VU-NEG-01"),
        (Purpose.START_STATE_TRANSFER, Purpose.CHECK_STATE_TRANSFER, Purpose.OFFER_FEATURES),
    ),
    _migration(
        (
            "Postcopy is not supported",
            "Postcopy needs matching RAM page sizes",
            "postcopy is not supported now",
            "postcopy_ram_supported_by_host",
        ),
        "Postcopy migration is not possible on this host or with this memory.",
        Suspect.SETTINGS,
        "userfaultfd for QEMU and the back-end (vm.unprivileged_userfaultfd), the same page sizes on both hosts, no "
        "mlockall in the back-end",
        ("VU-PCP-01",),
        (Purpose.ADVISE_POSTCOPY,),
    ),
    _socket(
        (
            "option is incompatible with socket in {word} {word} mode",
            "option is incompatible with 'fd' address type",
            "option is incompatible with waiting for connection completion",
            "Exactly one of 'path', 'fd' or 'host' required",
            "Unexpected 'connecting' state without connect task",
        ),
        "The options of the chardev do not fit together.",
        Suspect.SETTINGS,
        "server=, wait= and reconnect= of the chardev",
    ),
    _socket(
        ('chardev "{word}" went down', 'chardev "{word}" went up'),
        "The connection with the back-end was lost or re-established. Going down and up over and over: one of them "
        "gives "
        "up while setting up.",
        Suspect.BACK_END,
        "the log of the back-end at that time",
        ("VU-TIM-02", "VU-RPL-08"),
        fate=Fate.CLOSED,
    ),
    _socket(
        ("Reconnecting after error: ",),
        "Setting up the connection failed; QEMU tries once more. The rest of the line gives the reason.",
        Suspect.BACK_END,
        "the rest of the line, and the log of the back-end",
        ("VU-TIM-02", "VU-RPL-08"),
        fate=Fate.CLOSED,
    ),
    _socket(
        ("Unexpected end-of-file before all", "Unable to write to socket", "Unable to read from socket"),
        "A socket was closed in the middle of a message: mostly the back-end channel.",
        Suspect.BACK_END,
        "whether the back-end exited",
        ("VU-BEC-02", "VU-RPL-08"),
        fate=Fate.CLOSED,
        named=True,
    ),
)
