"""A bundle as a file, and `vuproxy --bundle-on` as a process."""

import json
import os
import re
import signal
import socket
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.proxy.harness import PATIENCE, eventually
from tests.proxy.test_program import FEATURES, Program, converse, quiet
from vudissect.analysis import findings, read
from vudissect.bundle.make import Cause, write_bundle
from vudissect.bundle.read import Bundle
from vudissect.capture.errors import CaptureError
from vudissect.cli.main import main
from vudissect.cli.vuproxy import main as vuproxy

CAPTURE = Path(__file__).parents[2] / "captures" / "qemu-10.0-blk-qsd.pcapng"


def bundle(folder: Path, **options: bool) -> Path:
    """A bundle of a capture."""
    path = folder / "bundle.zip"
    facts = {"connection-1/front-end/cmdline.txt": "qemu -drive file=/srv/acme.img\n"}
    write_bundle(str(path), [str(CAPTURE)], Cause("it hangs in /srv/acme", 0.0), facts, command="vuproxy", **options)
    return path


def made(folder: Path) -> list[Path]:
    return sorted(folder.glob("capture_bundle_*.zip"))


def test_it_has_the_capture_and_what_it_shows(tmp_path: Path) -> None:
    with Bundle(str(bundle(tmp_path))) as opened:
        assert set(opened.names) == {
            f"captures/{CAPTURE.name}",
            "summary.txt",
            "transcript.txt",
            "findings.txt",
            "report.html",
            "connection-1/front-end/cmdline.txt",
            "bundle.json",
        }
        assert "GET_FEATURES" in opened.text("transcript.txt")
        assert opened.text("summary.txt").startswith("verdict")
        assert "vudissect show bundle.zip" in opened.text("summary.txt")
        assert opened.text("report.html").startswith("<!doctype html>")
        assert " messages: " in opened.text("findings.txt")


def test_redaction_is_listed(tmp_path: Path) -> None:
    with Bundle(str(bundle(tmp_path))) as opened:
        assert opened.text("connection-1/front-end/cmdline.txt") == "qemu -drive file=/path-1.img\n"
        assert opened.about["redacted"]["paths"] >= 2
        assert "acme" not in "".join(map(opened.text, opened.names))


def test_addresses_are_moved_on_request(tmp_path: Path) -> None:
    with Bundle(str(bundle(tmp_path, addresses=True))) as opened:
        assert opened.about["redacted"]["messages with addresses of processes"] > 0
        assert opened.about["not redacted"][0] == "addresses of the guest"
        assert "at 0x7000" in opened.text("transcript.txt")


def test_without_redaction_that_is_said(tmp_path: Path) -> None:
    path = bundle(tmp_path, redact=False)
    with Bundle(str(path)) as opened:
        assert "file=/srv/acme.img" in opened.text("connection-1/front-end/cmdline.txt")
    assert "redacted    NOTHING: --no-redaction" in CliRunner().invoke(main, ["bundle", str(path)]).output


def test_a_bundle_is_read_like_its_capture(tmp_path: Path) -> None:
    path = bundle(tmp_path)
    assert [record.data for record in read(path)] == [record.data for record in read(CAPTURE)]
    assert [finding.rule for finding in findings(path).findings] == [x.rule for x in findings(CAPTURE).findings]


def test_the_command_opens_it(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["bundle", str(bundle(tmp_path))])
    assert result.exit_code == 0
    assert result.output.startswith("reason      it hangs in /path-")
    assert "verdict" in result.output
    assert re.search(r"^file +transcript\.txt$", result.output, re.MULTILINE)


def test_the_command_extracts_it(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["bundle", str(bundle(tmp_path)), "-x", str(tmp_path / "out")])
    assert result.exit_code == 0
    assert (tmp_path / "out" / "captures" / CAPTURE.name).exists()


def test_names_do_not_lead_out_of_the_folder(tmp_path: Path) -> None:
    path = tmp_path / "evil.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("bundle.json", json.dumps({"bundle": 1}))
        archive.writestr("../evil.txt", "x")
        archive.writestr("/evil.txt", "x")
    with Bundle(str(path)) as opened:
        assert opened.extract(str(tmp_path / "out")) == [str(tmp_path / "out" / "bundle.json")]
    assert not (tmp_path / "evil.txt").exists()


@pytest.mark.parametrize(
    ("files", "text"),
    [
        (None, "not a bundle of vuproxy --bundle-on; for a capture, use vudissect summary"),
        ({}, "not a bundle: a zip file without bundle.json"),
        ({"bundle.json": "[]"}, "bundle.json in the bundle is damaged"),
        ({"bundle.json": '{"bundle": 2}'}, "a bundle of version 2, but this vudissect reads up to 1: update it"),
    ],
)
def test_another_file_is_refused(tmp_path: Path, files: dict[str, str] | None, text: str) -> None:
    path = tmp_path / "other.zip"
    if files is None:
        path.write_bytes(CAPTURE.read_bytes())
    else:
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in files.items():
                archive.writestr(name, content)
    result = CliRunner().invoke(main, ["bundle", str(path)])
    assert result.exit_code == 2
    assert text in result.output


def test_a_zip_file_without_a_capture_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.txt", "x")
    with pytest.raises(CaptureError, match="a zip file without a capture"):
        list(read(path))


def answered(program: Program) -> list[Path]:
    """The bundles when the first is complete: it gets its name as the last step."""
    eventually(lambda: bool(made(program.folder)))
    return made(program.folder)


def test_a_disconnect_makes_a_bundle_with_what_proc_says(tmp_path: Path) -> None:
    with quiet(tmp_path, "--bundle-on", "disconnect") as program:
        front, back = program.connect()
        converse(front, back)
        back.close()
        (path,) = answered(program)
        _, _, errors = program.end()
    with Bundle(str(path)) as opened:
        assert opened.about["reason"] == "connection 1 was closed by the back-end (eof)"
        assert "State:" in opened.text("connection-1/front-end/status.txt")
        assert f"pid {os.getpid()}" in opened.text("connection-1/back-end/process.txt")
        assert "connection 1 closed" in opened.text("transcript.txt")
    assert f"bundle {path}: connection 1 was closed by the back-end (eof)" in errors


def test_a_rotated_capture_is_bundled_with_all_its_files(tmp_path: Path) -> None:
    with quiet(tmp_path, "-b", "filesize:1M", "--bundle-on", "signal") as program:
        converse(*program.connect())
        program.process.send_signal(signal.SIGUSR1)
        (path,) = answered(program)
        program.end()
    with Bundle(str(path)) as opened:
        assert opened.about["reason"] == "SIGUSR1"
        assert [name for name in opened.names if name.startswith("captures/capture_00001_")]
    assert not list(tmp_path.glob(".vudissect-*"))


def test_silence_makes_a_bundle(tmp_path: Path) -> None:
    with quiet(tmp_path, "--bundle-on", "silence:0.2") as program:
        front, _ = program.connect()
        front.send(FEATURES)
        (path,) = answered(program)
    with Bundle(str(path)) as opened:
        assert opened.about["reason"].endswith("which waits for the answer to GET_FEATURES")


def test_the_control_socket_makes_a_bundle_and_answers(tmp_path: Path) -> None:
    def ask(text: bytes) -> str:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(PATIENCE)
            client.connect(str(tmp_path / "control.sock"))
            client.sendall(text)
            return client.makefile().readline().strip()

    with quiet(tmp_path, "--control", str(tmp_path / "control.sock")) as program:
        converse(*program.connect())
        assert ask(b"help\n") == "unknown: write bundle REASON"
        answer = ask(b"bundle the guest is stuck\n")
        (path,) = made(tmp_path)
        program.end()
    assert answer == f"made {path}"
    with Bundle(str(path)) as opened:
        assert opened.about["reason"] == "the guest is stuck"
    assert not (tmp_path / "control.sock").exists()


def test_a_bundle_that_is_due_at_the_end_is_made(tmp_path: Path) -> None:
    with quiet(tmp_path, "--once", "--bundle-on", "disconnect") as program:
        front, back = program.connect()
        converse(front, back)
        front.close()
        program.outcome()
        assert len(made(tmp_path)) == 1


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--bundle-on", "crash"], "--bundle-on 'crash' is not a trigger: write disconnect"),
        (["-w", "-", "--bundle-on", "signal"], "--bundle-on and --control need a capture in a file"),
        (["--redact-addresses"], "--redact-addresses is for bundles: use it with --bundle-on or --control"),
        (["--no-redaction"], "--no-redaction is for bundles: use it with --bundle-on or --control"),
        (["--control", "/nowhere/c.sock"], "/nowhere/c.sock: cannot listen there: No such file or directory"),
    ],
)
def test_options_that_make_no_sense(tmp_path: Path, options: list[str], text: str) -> None:
    sockets = ["--listen", str(tmp_path / "a"), "--connect", str(tmp_path / "b"), "-q"]
    result = CliRunner().invoke(vuproxy, [*sockets, *options])
    assert result.exit_code == 2
    assert text in result.output
