"""`vudissect dialects` and `vudissect messages --dialect`, as a user calls them."""

from pathlib import Path

from tests.cli.program import run

DOCS = Path(__file__).parents[2] / "docs"


def refused(text: bytes) -> str:
    line = text.decode()
    assert "Traceback" not in line
    assert line.count("\n") == 1
    return line


class TestDialects:
    def test_the_list_has_a_line_for_each(self) -> None:
        lines = run("dialects").stdout.decode().splitlines()

        assert lines[0].startswith("upstream ")
        assert any(line.startswith("probe-v2        2023-09-01") for line in lines)

    def test_one_is_explained(self) -> None:
        text = run("dialects", "status-rfc").stdout.decode()

        assert "protocol features: 15 STATUS" in text
        assert "36 SET_STATUS" in text

    def test_an_unknown_one_names_the_nearest(self) -> None:
        result = run("dialects", "crossvm-2023")

        assert result.returncode == 2
        assert "crosvm-2023" in refused(result.stderr)

    def test_the_page_of_the_documentation_is_fresh(self) -> None:
        page = (DOCS / "dialects.md").read_text()

        assert run("dialects", "--markdown").stdout.decode() == page, "stale: run make docs"


class TestMessages:
    def test_the_table_as_a_dialect_has_it(self) -> None:
        text = run("messages", "--dialect", "mst-2015").stdout.decode()

        assert "15 GET_RUNNING" in text
        assert "backend channel" not in text

    def test_a_message_as_a_dialect_has_it(self) -> None:
        text = run("messages", "--dialect", "probe-v2", "41").stdout.decode()

        assert text.startswith("GET_DEVICE_ID (main channel, 41")
        assert "standalone-v1" not in text

    def test_a_contested_number_is_shown_in_every_meaning(self) -> None:
        lines = run("messages", "41").stdout.decode().splitlines()
        meanings = [line.split()[0] for line in lines if "(main channel, 41" in line]

        assert meanings[0] == "GET_SHARED_OBJECT"
        assert {"GET_BACKEND_SPECS", "GET_DEVICE_ID", "GET_SHARED_MEMORY_REGIONS", "MEM_DATA"} <= set(meanings)
        assert "in standalone-v1 (2023-07-04):" in lines

    def test_a_message_that_only_a_draft_has_is_found_by_its_name(self) -> None:
        text = run("messages", "VHOST_USER_GET_MIN_VQ").stdout.decode()

        assert text.startswith("in probe-v2 (2023-09-01):")

    def test_an_unknown_dialect_names_the_nearest(self) -> None:
        result = run("messages", "--dialect", "probe")

        assert result.returncode == 2
        assert "probe-v2" in refused(result.stderr)

    def test_a_message_that_the_dialect_lacks_names_the_nearest_that_it_has(self) -> None:
        result = run("messages", "--dialect", "v1-base", "SET_VRING_ENABLE")

        assert result.returncode == 2
        assert "SET_VRING_" in refused(result.stderr)
