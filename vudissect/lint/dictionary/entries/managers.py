"""Lines of what starts virtual machines: libvirt and Kata Containers."""

from functools import partial

from vudissect.lint.dictionary.entry import Fate, LogLine, Suspect
from vudissect.lint.dictionary.program import Program

_libvirt = partial(LogLine, Program.LIBVIRT, "libvirt src/qemu")
_kata = partial(LogLine, Program.KATA, "Kata Containers src/runtime/virtcontainers, src/runtime-rs")

LINES = (
    _libvirt(
        (
            "virtiofsd died unexpectedly",
            "vhost-user-gpu died unexpectedly",
            "Unable to find a satisfying vhost-user-",
            "virtiofsd is not supported",
            "'vhostuser' type requires shared memory",
            "virtiofs requires shared memory",
            "requires memoryBacking",
            "shared memory is required for vhost-user",
            "migration with virtiofs device is not supported",
            "vhost-user device {any} is not supported",
        ),
        "libvirt cannot use the vhost-user device: its helper exited, or the domain has no shared memory.",
        Suspect.SETTINGS,
        "<memoryBacking><access mode='shared'/></memoryBacking> (and a source of memfd), and the log of the helper in "
        "/var/log/libvirt/qemu",
        ("VU-MEM-01",),
    ),
    _libvirt(
        (
            "internal error: process exited while connecting to monitor",
            "unable to execute QEMU command 'device_add'",
            "unable to execute QEMU command 'chardev-add'",
            "unable to execute QEMU command 'netdev_add'",
        ),
        "QEMU refused the device or exited; what follows is its own line.",
        Suspect.SETTINGS,
        "the rest of the line",
    ),
    _kata(
        (
            "virtiofsd had stopped",
            "virtiofsd quits",
            "failed to start virtiofsd",
            "failed to stop virtiofsd",
            "virtiofsd daemon path is empty",
            "virtiofsd socket path is empty",
            "virtiofsd source path",
            "kill virtiofsd failed",
            "removing virtiofsd socket failed",
            "Missing virtiofsDaemon configuration",
            "virtiofsd did not announce socket connection",
            "spawn virtiofsd",
            "setup virtiofsd",
            "error shutting down VirtiofsDaemon",
        ),
        "The sandbox's virtiofsd could not be started, or exited; the hypervisor sees the connection closed.",
        Suspect.BACK_END,
        "the log of virtiofsd in the same journal; virtio_fs_daemon and virtio_fs_extra_args in configuration.toml",
        ("VU-RPL-08",),
        fate=Fate.CLOSED,
    ),
    _kata(
        (
            "Vhost-user-blk/scsi is enabled without HugePages",
            "Vhost-user-blk/scsi requires hugepage memory",
            "malformed vhost-user",
            "Incorrect vhost-user device type found",
            "Failed to append vhost user device",
            "does not support Hot attach",
            "vhost-user-net socket path {path} exists",
            "add vhost-user-net device",
            "VM templating has been enabled with virtio-fs",
        ),
        "The configuration of the sandbox does not fit vhost-user.",
        Suspect.SETTINGS,
        "enable_hugepages, enable_vhost_user_store and vhost_user_store_path in configuration.toml",
        named=True,
    ),
)
