"""Captures as tables for Spark: `register(spark)`, then `spark.read.format("vhost_user").load("captures/")`.

The workers read the capture files themselves, so they need this package and the same paths. docs/spark.md has more.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_PUSHDOWN = "spark.sql.python.filterPushdown.enabled"


def register(spark: "SparkSession") -> None:
    """Make the format `vhost_user` known to a session, and let it receive filters."""
    from vudissect.spark.data_source import VhostUser

    spark.conf.set(_PUSHDOWN, "true")
    spark.dataSource.register(VhostUser)


def create_views(spark: "SparkSession", captures: str | list[str]) -> None:
    """Make each table of the captures a temporary view with its name, for SQL."""
    from vudissect.spark.batches import ALL
    from vudissect.spark.data_source import VhostUser

    register(spark)
    for name in ALL:
        spark.read.format(VhostUser.name()).option("table", name).load(captures).createOrReplaceTempView(name)
