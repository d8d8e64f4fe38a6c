"""The options that all commands of vuproxy have in common: what to record, where to, and what else to do with it."""

import dataclasses
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

from vudissect.cli.completion import FILE, files
from vudissect.cli.errors import fail
from vudissect.cli.faults import FAULT_OPTIONS, engine_of
from vudissect.cli.numbers import LONGEST, SECONDS, Finite
from vudissect.cli.rotation import ring_option

if TYPE_CHECKING:
    from vudissect.proxy.recording import Recording
    from vudissect.proxy.rotation import Rotation


@dataclasses.dataclass(frozen=True, slots=True)
class Asked:
    """What the options of `recording_options` were given."""

    capture: str | None
    rotation: "Rotation | None"
    snaplen: int
    keep_keys: bool
    rings: str | None
    rings_interval: float | None
    metrics: str | None
    page: bool
    triggers: tuple[str, ...]
    control: str | None
    no_redaction: bool
    redact_addresses: bool
    wait: float
    no_interpose: bool
    faults: tuple[str, ...]
    scenario: str | None
    script: str | None

    def recording(self, **others: Any) -> "Recording":
        """What to record, with `others` from other options; exit 2 if it makes no sense.

        `AddressError` if there is no such place for metrics.
        """
        from vudissect.proxy.metrics import parse_place
        from vudissect.proxy.recording import Recording
        from vudissect.proxy.ring_observer import RingOptions
        from vudissect.proxy.triggers import Bundling

        self.check(has_command=others.get("wrapped") is not None)
        bundling = Bundling(self.triggers, self.control or "", not self.no_redaction, self.redact_addresses)
        return Recording(
            self.capture,
            snaplen=self.snaplen,
            keep_keys=self.keep_keys,
            rings=RingOptions(self.rings == "requests", self.rings_interval or RingOptions().interval)
            if self.rings
            else None,
            rotation=self.rotation,
            metrics=parse_place(self.metrics) if self.metrics is not None else None,
            page=self.page,
            bundling=bundling if self.has_bundles else None,
            faults=engine_of(self.faults, self.scenario, self.script),
            **others,
        )

    @property
    def has_bundles(self) -> bool:
        """Whether bundles may be made."""
        return bool(self.triggers or self.control)

    def check(self, *, has_command: bool) -> None:
        """Exit 2 if the options contradict each other; `has_command`: vuproxy starts a command."""
        if self.rotation is not None and self.capture == "-":
            fail("-b writes several files, and -w - is standard output: use one of them")
        if self.has_bundles and self.capture == "-":
            fail("--bundle-on and --control need a capture in a file, and -w - is standard output: use one of them")
        if self.rings_interval is not None and not self.rings:
            fail("--rings-interval has no effect without --rings")
        for option, is_given in (
            ("--no-redaction", self.no_redaction),
            ("--redact-addresses", self.redact_addresses),
        ):
            if is_given and not self.has_bundles:
                fail(f"{option} is for bundles: use it with --bundle-on or --control")
        if self.no_redaction and self.redact_addresses:
            fail("--no-redaction and --redact-addresses contradict each other: use one of them")
        if self.triggers:
            from vudissect.bundle.trigger import TriggerError, from_words

            try:
                found = from_words(self.triggers)
            except TriggerError as error:
                fail(f"--bundle-on {error}")
            if found.needs_command and not has_command:
                fail("--bundle-on exit and log are about a command that vuproxy starts: use vuproxy run")


_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    click.option(
        "-w",
        "--write",
        "capture",
        type=FILE,
        metavar="FILE",
        help="Where to write the capture, instead of vuproxy-DATE-TIME.pcapng; - for standard output.",
    ),
    ring_option,
    click.option(
        "--wait",
        metavar="SECONDS",
        type=SECONDS,
        default=30,
        help="How long to keep trying to connect to a side.",
    ),
    click.option(
        "--snaplen",
        metavar="BYTES",
        type=click.IntRange(12),
        default=65536,
        help="The most bytes of a message to record.",
    ),
    click.option(
        "--keep-keys",
        is_flag=True,
        help="Also record the keys of crypto sessions, which are otherwise replaced by zeros.",
    ),
    click.option(
        "--rings",
        type=click.Choice(["indices", "requests"]),
        is_flag=False,
        flag_value="indices",
        help="Also look into the rings: indices and event counters, or also the header of the oldest pending request.",
    ),
    click.option(
        "--rings-interval",
        metavar="SECONDS",
        type=Finite(0.01, LONGEST),
        help="With --rings: how often to look into all of them.  [default: 1]",
    ),
    click.option(
        "--metrics",
        metavar="PLACE",
        help="Serve metrics in the OpenMetrics format at unix:PATH or 127.0.0.1:PORT, or write them to textfile:PATH.",
    ),
    click.option(
        "--ui",
        "page",
        is_flag=True,
        help="Serve the page of vudissect report live, at an address of this machine that is printed.",
    ),
    click.option(
        "--bundle-on",
        "triggers",
        metavar="TRIGGER",
        multiple=True,
        help="Make a bundle for a bug report on disconnect, finding:SEVERITY, finding:RULE, silence:SECONDS with a "
        "request open, or signal, SIGUSR1; with run also on exit, exit:STATUS or log:PATTERN (repeatable).",
    ),
    click.option(
        "--control", metavar="PATH", shell_complete=files, help='A socket for commands: "bundle REASON" makes a bundle.'
    ),
    click.option("--no-redaction", is_flag=True, help="Leave paths, names, keys and screen contents in bundles."),
    click.option(
        "--redact-addresses", is_flag=True, help="Also move the addresses of processes in bundles to other places."
    ),
    click.option(
        "--no-interpose", is_flag=True, help="Do not intercept the back-end and GPU channels; they are not recorded."
    ),
    *FAULT_OPTIONS,
)


def recording_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options about a recording, as the argument `asked`."""

    @wraps(command)
    def collected(*arguments: Any, **options: Any) -> Any:
        asked = Asked(**{field.name: options.pop(field.name) for field in dataclasses.fields(Asked)})
        return command(*arguments, asked=asked, **options)

    for option in reversed(_OPTIONS):
        collected = option(collected)
    return collected
