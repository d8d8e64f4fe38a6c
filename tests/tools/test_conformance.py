"""The tool that writes docs/conformance/, without real back-ends."""

import json

from tests.report.examples import case_document, document
from tools.conformance import FOLDER, packed, pages, published, read_all
from vudissect.check.results import read_results


def test_the_pages_are_those_of_the_results() -> None:
    """`make docs` writes them."""
    written = {name: (FOLDER / name).read_text() for name, _ in pages(read_all())}

    assert written == dict(pages(read_all()))


def test_all_that_is_published_is_of_these_results() -> None:
    every = read_all()

    assert {file.stem for file in (FOLDER / "expect").iterdir()} == set(every)
    assert {file.stem for file in FOLDER.glob("*.md")} == {"README", *every}


def test_only_failures_are_published_with_details() -> None:
    whole = document([case_document("RNG-02", "fail"), case_document("RNG-03", "pass")])

    failed, passed = read_results(json.dumps(published(whole, ()))).cases

    assert (len(failed.transcript), failed.deviation, failed.last_words) == (2, 1, ("bye",))
    assert (passed.transcript, passed.deviation, passed.last_words) == ((), 0, ())


def test_what_is_only_needed_on_this_machine_is_not_published() -> None:
    case = case_document(run_again="vudissect check --only RNG-02 -- sh inside.sh /tree my-disk '{socket}'")

    shown = published(document([case], command=["sh", "inside.sh", "/tree", "my-disk"]), ("sh", "inside.sh", "/tree"))

    assert shown["command"] == ["my-disk"]
    assert shown["cases"][0]["run_again"] == "vudissect check --only RNG-02 -- my-disk '{socket}'"


def test_the_same_results_are_the_same_bytes() -> None:
    assert packed(document([])) == packed(document([]))
