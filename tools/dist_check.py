"""`make dist-check`: builds the sdist, builds a wheel from it, and tries the wheel in a new environment."""

import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from zipfile import ZipFile

from vudissect import __version__

ROOT = Path(__file__).parents[1]
NAME = f"vudissect-{__version__}"
CAPTURE = "captures/qemu-7.2-blk-qsd.pcapng"
IN_SDIST = ("LICENSE", "CHANGELOG.md", "Makefile", "docs/README.md", "tests/test_readme.py", CAPTURE)
IN_WHEEL = (
    "vudissect/py.typed",
    "vudissect/lint/pages/VU-MEM-07.md",
    "vudissect/report/style.css",
    "vudissect/wireshark/lua/dissector.lua",
    f"{NAME}.dist-info/licenses/LICENSE",
)
USER_SCRIPT = 'from vudissect.testing import assert_conforms\nassert_conforms("boot.pcapng", ignore=("VU-STA-01",))\n'


def main() -> None:
    """Print that everything works, or exit with one line about what is wrong."""
    with tempfile.TemporaryDirectory(prefix="vudissect-") as name:
        folder = Path(name)
        source = _sdist(folder)
        wheel = _wheel(source, folder)
        _try(wheel, source, folder)
    print(f"{NAME}: sdist and wheel are complete, and the wheel works")


def _sdist(folder: Path) -> Path:
    """The source tree from the sdist."""
    _run(sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", str(folder), cwd=ROOT)
    _run("tar", "-xzf", f"{NAME}.tar.gz", cwd=folder)
    source = folder / NAME
    for name in IN_SDIST:
        _require((source / name).is_file(), f"the sdist lacks {name}")
    return source


def _wheel(source: Path, folder: Path) -> Path:
    _run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder), cwd=source)
    (wheel,) = folder.glob("*.whl")
    with ZipFile(wheel) as archive:
        names = archive.namelist()
    for name in IN_WHEEL:
        _require(name in names, f"the wheel lacks {name}")
    unexpected = [name for name in names if not name.startswith(("vudissect/", f"{NAME}.dist-info/"))]
    _require(not unexpected, f"the wheel has unexpected files: {unexpected}")
    return wheel


def _try(wheel: Path, source: Path, folder: Path) -> None:
    home = folder / "environment"
    venv.create(home)
    python = str(home / "bin" / "python")
    _run(sys.executable, "-m", "pip", "--python", python, "install", "--quiet", str(wheel), cwd=folder)
    for program in ("vuproxy", "vudissect"):
        output = _run(str(home / "bin" / program), "--version", cwd=folder)
        _require(output == f"{program}, version {__version__}\n", f"{program} --version prints {output!r}")
    shown = _run(str(home / "bin" / "vudissect"), "show", str(source / CAPTURE), cwd=folder)
    _require("GET_FEATURES" in shown, f"vudissect show prints {shown!r}")
    page = _run(str(home / "bin" / "vudissect"), "rules", "removed-region", cwd=folder)
    _require("Why it matters" in page, f"vudissect rules removed-region prints {page!r}")
    (folder / "script.py").write_text(USER_SCRIPT)
    mypy = (sys.executable, "-m", "mypy", "--strict", "--config-file=", "--cache-dir=cache")
    _run(*mypy, "--python-executable", python, "script.py", cwd=folder)


def _run(*command: str, cwd: Path) -> str:
    """The output of a command."""
    result = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    _require(result.returncode == 0, f"{' '.join(command)} failed:\n{result.stdout}{result.stderr}")
    return result.stdout


def _require(condition: bool, error: str) -> None:
    if not condition:
        sys.exit(f"dist-check: {error}")


if __name__ == "__main__":
    main()
