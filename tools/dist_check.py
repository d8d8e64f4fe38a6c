"""`make dist-check`: builds the sdist and a wheel from it, and tries the wheel in an environment of its own."""

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
    "vudissect/wireshark/lua/dissector.lua",
    f"{NAME}.dist-info/licenses/LICENSE",
)
USER_SCRIPT = 'from vudissect.testing import assert_conforms\nassert_conforms("boot.pcapng", ignore=("VU-STA-01",))\n'


def main() -> None:
    """Exit with one line that says what is wrong; or say that nothing is."""
    with tempfile.TemporaryDirectory(prefix="vudissect-") as folder:
        place = Path(folder)
        source = _sdist(place)
        wheel = _wheel(source, place)
        _try(wheel, source, place)
    print(f"{NAME}: sdist and wheel are complete, and the wheel works")


def _sdist(place: Path) -> Path:
    """The source tree as the sdist has it."""
    _run(sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", str(place), cwd=ROOT)
    _run("tar", "-xzf", f"{NAME}.tar.gz", cwd=place)
    source = place / NAME
    for name in IN_SDIST:
        _require((source / name).is_file(), f"the sdist lacks {name}")
    return source


def _wheel(source: Path, place: Path) -> Path:
    _run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(place), cwd=source)
    (wheel,) = place.glob("*.whl")
    with ZipFile(wheel) as archive:
        names = archive.namelist()
    for name in IN_WHEEL:
        _require(name in names, f"the wheel lacks {name}")
    strange = [name for name in names if not name.startswith(("vudissect/", f"{NAME}.dist-info/"))]
    _require(not strange, f"the wheel has {strange}, which it should not")
    return wheel


def _try(wheel: Path, source: Path, place: Path) -> None:
    home = place / "environment"
    venv.create(home)
    python = str(home / "bin" / "python")
    _run(sys.executable, "-m", "pip", "--python", python, "install", "--quiet", str(wheel), cwd=place)
    for program in ("vuproxy", "vudissect"):
        said = _run(str(home / "bin" / program), "--version", cwd=place)
        _require(said == f"{program}, version {__version__}\n", f"{program} --version prints {said!r}")
    shown = _run(str(home / "bin" / "vudissect"), "show", str(source / CAPTURE), cwd=place)
    _require("GET_FEATURES" in shown, f"vudissect show prints {shown!r}")
    page = _run(str(home / "bin" / "vudissect"), "rules", "removed-region", cwd=place)
    _require("Why it matters" in page, f"vudissect rules removed-region prints {page!r}")
    (place / "script.py").write_text(USER_SCRIPT)
    mypy = (sys.executable, "-m", "mypy", "--strict", "--config-file=", "--cache-dir=cache")
    _run(*mypy, "--python-executable", python, "script.py", cwd=place)


def _run(*command: str, cwd: Path) -> str:
    """What it prints."""
    result = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    _require(result.returncode == 0, f"{' '.join(command)} failed:\n{result.stdout}{result.stderr}")
    return result.stdout


def _require(condition: bool, what_is_wrong: str) -> None:
    if not condition:
        sys.exit(f"dist-check: {what_is_wrong}")


if __name__ == "__main__":
    main()
