"""vudissect: record, explain and replay what a vhost-user front-end and back-end say to each other."""

__version__ = "0.2.0"
