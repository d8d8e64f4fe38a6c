"""The ten questions of docs/fleet.md, asked of a Spark cluster and of DuckDB: the answers are the same."""

import re
import shutil
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from benchmarks.traffic import capture
from tests.conversation import Conversation, file
from tests.peers.spark import ROOT, answers, cluster
from vudissect.capture.record import RecordKind
from vudissect.export.folder import Folder
from vudissect.export.jobs import export_captures
from vudissect.export.query import query
from vudissect.spark.paths import captures_at

_SQL = re.compile(r"^### (.*?)\n.*?^```sql\n(.*?)^```$", re.MULTILINE | re.DOTALL)
QUESTIONS: dict[str, str] = dict(_SQL.findall((ROOT / "docs" / "fleet.md").read_text("utf-8")))
OF_SPARK: dict[str, str] = dict(_SQL.findall((ROOT / "docs" / "spark.md").read_text("utf-8")))
# Messages of the long capture: several batches, row groups and tasks have them.
MANY = 300_000
# Padding of a capture that has a task of its own.
LARGE = 20 << 20

pytestmark = [pytest.mark.peers_slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def captures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All captures, one with huge pages and a gap, a long one, one that is cut off, and a large file that is none."""
    folder = tmp_path_factory.mktemp("fleet")
    shutil.copytree(ROOT / "captures", folder / "all", ignore=shutil.ignore_patterns("*.py", "*.md"))
    talk = Conversation()
    region = {"guest_addr": 0, "size": 2 << 20, "user_addr": 0x7F00_0000_0000}
    memory = file("/dev/hugepages/ram", 2 << 20, page_size=2 << 20)
    talk.front_end("SET_MEM_TABLE", regions=[region], descriptors=(memory,))
    talk.event(RecordKind.GAP, messages=3)
    (folder / "huge.pcapng").write_bytes(talk.capture())
    (folder / "long.pcapng").symlink_to(capture(MANY))
    (folder / "cut.pcapng").write_bytes(talk.capture()[:-5])
    (folder / "foreign.pcapng").write_bytes(b"no capture" * (LARGE // 10))
    return folder


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the programs of the cluster write what they do."""
    return tmp_path_factory.mktemp("spark")


@pytest.fixture(scope="module")
def of_spark(captures: Path, logs: Path) -> dict[str, Any]:
    questions = {name: OF_SPARK.get(name, sql) for name, sql in QUESTIONS.items()}
    questions["one capture"] = "SELECT DISTINCT file FROM messages WHERE file LIKE '%huge.pcapng'"
    questions["errors"] = "SELECT file, problem FROM errors ORDER BY file"
    with cluster(logs) as master:
        return answers(master, str(captures), questions)


@pytest.fixture(scope="module")
def tables(captures: Path, tmp_path_factory: pytest.TempPathFactory) -> Folder:
    folder = Folder.begin(str(tmp_path_factory.mktemp("tables") / "tables"), "parquet")
    list(export_captures(captures_at([str(captures)]), folder, 1))
    return folder


def plain(value: object) -> object:
    """A value in which numbers of different types are the same."""
    return round(float(value), 6) if isinstance(value, int | float | Decimal) and not isinstance(value, bool) else value


def counted(rows: Any) -> Counter[tuple[object, ...]]:
    return Counter(tuple(map(plain, row)) for row in rows)


@pytest.mark.parametrize("question", QUESTIONS)
def test_the_cluster_answers_as_duckdb_does(question: str, of_spark: dict[str, Any], tables: Folder) -> None:
    expected = list(query(QUESTIONS[question], tables).rows)

    assert counted(of_spark[question]) == counted(expected)
    assert expected


@pytest.mark.usefixtures("of_spark")
@pytest.mark.parametrize("worker", ["spark-worker-1", "spark-worker-2"])
def test_both_workers_take_part(worker: str, logs: Path) -> None:
    executors = list((logs / "work").glob("*/*/stderr"))
    launched = re.findall(r"Asked to launch executor \S+/(\d+)", (logs / f"{worker}.log").read_text())
    finished = {path.parent.name: "Finished task" in path.read_text() for path in executors}

    assert any(finished[executor] for executor in launched)


def test_spark_has_its_own_sql_only_for_questions_that_are_asked() -> None:
    assert OF_SPARK.keys() < QUESTIONS.keys()


def test_captures_are_left_out_by_their_names(of_spark: dict[str, Any], captures: Path) -> None:
    assert of_spark["one capture"] == [[str(captures / "huge.pcapng")]]


def test_bad_files_are_rows_and_fail_nothing(of_spark: dict[str, Any], captures: Path) -> None:
    (cut, reason), (foreign, other) = of_spark["errors"]

    assert (cut, foreign) == (str(captures / "cut.pcapng"), str(captures / "foreign.pcapng"))
    assert "the capture ends within a block" in reason
    assert other.startswith("not a pcapng capture")
