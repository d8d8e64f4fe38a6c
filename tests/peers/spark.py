"""A Spark cluster on loopback: a master and two workers with a core each, and a driver that asks it questions.

Run as a program, it is the driver: `python tests/peers/spark.py MASTER FOLDER` reads a JSON object of SQL by name from
standard input, and writes one of the answers.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
_LOOPBACK = "127.0.0.1"
_DEPLOY = "org.apache.spark.deploy"
_ADDRESS = r"Starting Spark master at (spark://\S+)"
_SECONDS = 300
# For the driver, the workers, and what they start.
_ENVIRONMENT = {
    "SPARK_LOCAL_IP": _LOOPBACK,
    "PYSPARK_PYTHON": sys.executable,
    "PYTHONPATH": str(ROOT),
}


@contextmanager
def cluster(folder: Path) -> Iterator[str]:
    """The address of the master of a cluster that has two workers."""
    from tests.peers.processes import PeerError, running

    pyspark = find_spec("pyspark")
    if pyspark is None or pyspark.origin is None:
        raise PeerError("pyspark is not installed: pip install '.[spark]'")
    spark_class = str(Path(pyspark.origin).parent / "bin" / "spark-class")
    program = ["env", *(f"{name}={value}" for name, value in _ENVIRONMENT.items()), spark_class]
    master_command = [*program, f"{_DEPLOY}.master.Master", "--host", _LOOPBACK, "--port", "0", "--webui-port", "0"]
    with running("spark-master", master_command, folder) as master:
        address = master.expect(_ADDRESS)[1]
        worker = [*program, f"{_DEPLOY}.worker.Worker", "--host", _LOOPBACK, "--webui-port", "0"]
        worker += ["--cores", "1", "--memory", "1g", "--work-dir", str(folder / "work"), address]
        with running("spark-worker-1", worker, folder) as first, running("spark-worker-2", worker, folder) as second:
            for each in (first, second):
                each.expect("Successfully registered with master")
            yield address


def answers(master: str, captures: str, questions: Mapping[str, str]) -> dict[str, Any]:
    """What the cluster answers to SQL on the tables of captures: the rows, by question."""
    done = subprocess.run(
        [sys.executable, __file__, master, captures],
        input=json.dumps(questions),
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        env=os.environ | _ENVIRONMENT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _main(master: str, captures: str) -> None:
    from pyspark.sql import SparkSession

    from vudissect.spark import create_views

    builder = SparkSession.builder.master(master).config("spark.ui.enabled", "false")
    # A core of each worker, also for a few small captures.
    spark = builder.config("spark.sql.shuffle.partitions", "4").config("spark.executor.memory", "512m").getOrCreate()
    create_views(spark, captures)
    found = {name: [list(row) for row in spark.sql(sql).collect()] for name, sql in json.load(sys.stdin).items()}
    json.dump(found, sys.stdout, default=float)
    spark.stop()


if __name__ == "__main__":
    _main(*sys.argv[1:])
