"""What upstream has and the table lacks is found in the sources of programs."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

C = """
typedef enum VhostUserRequest {
    VHOST_USER_NONE = 0,
    VHOST_USER_GET_FEATURES = 1,   /* VHOST_USER_OLD = 900 */
    VHOST_USER_SEND_RARP = 19,
    VHOST_USER_BREW_COFFEE = 99,
    VHOST_USER_MAX
} VhostUserRequest;
enum VhostUserProtocolFeature {
    VHOST_USER_PROTOCOL_F_MQ = 0,
    VHOST_USER_PROTOCOL_F_COFFEE = 40,
};
#define VHOST_USER_MAX_CUPS 8
enum VhostUserBackendRequest {
    VHOST_USER_BACKEND_IOTLB_MSG = 1,
    VHOST_USER_BACKEND_COFFEE_READY = 77,
};
"""

RUST = """
pub enum FrontendReq {
    /// Get from the underlying vhost implementation the features bit mask.
    GET_FEATURES = 1,
    GRIND_BEANS = 98,
}
bitflags! {
    pub struct VhostUserProtocolFeatures: u64 {
        const MQ = 0x0000_0001;
        const BEANS = 0x0000_0200_0000_0000;
    }
}
"""


def compare(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "tools/compare_upstream.py", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def test_a_c_source(tmp_path: Path) -> None:
    (tmp_path / "vhost-user.c").write_text(C)

    done = compare(str(tmp_path))

    assert done.returncode == 1
    assert sorted(line.partition(" is not")[0] for line in done.stdout.splitlines()[:-1]) == [
        "backend message 77 COFFEE_READY",
        "main message 99 BREW_COFFEE",
        "protocol feature 40 COFFEE",
    ]
    assert done.stdout.splitlines()[-1] == "8 names in 1 files, 3 of them not in the table"


def test_a_rust_source(tmp_path: Path) -> None:
    (tmp_path / "message.rs").write_text(RUST)

    done = compare(str(tmp_path / "message.rs"))

    assert "main message 98 GRIND_BEANS is not in the table" in done.stdout
    assert "protocol feature 41 BEANS is not in the table" in done.stdout
    assert done.stdout.splitlines()[-1] == "4 names in 1 files, 2 of them not in the table"


def test_nothing_new(tmp_path: Path) -> None:
    (tmp_path / "vhost_user.h").write_text("VHOST_USER_GET_FEATURES = 1,\n")

    done = compare(str(tmp_path))

    assert (done.returncode, done.stdout) == (0, "1 names in 1 files, 0 of them not in the table\n")


def test_nothing_to_read(tmp_path: Path) -> None:
    done = compare(str(tmp_path))

    assert done.returncode == 2
    assert done.stderr == "usage: compare_upstream.py CHECKOUT...; no messages are defined there\n"
