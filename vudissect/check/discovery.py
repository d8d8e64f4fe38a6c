"""What a back-end is: features, queues, configuration space and from them the device type."""

from typing import NamedTuple

from vudissect.check.model import Behaviour, Case, Verdict
from vudissect.check.stage import DeviationError, Stage
from vudissect.protocol.devices import feature_names
from vudissect.protocol.features import PROTOCOL_FEATURES, VIRTIO_FEATURES
from vudissect.protocol.model import Device
from vudissect.session.device import DeviceGuess

_CONFIG_SIZES = (256, 60, 36, 12, 8)

ABILITIES = {
    "process": "the back-end was started by us, so that it can be ended and restarted",
    "serving": "which process serves is known, so that its descriptors can be counted",
    "reconnect": "it serves one connection after another",
    "other ring": "the device has a second ring for requests",
    "64 queue pairs": "it has at least 128 rings",
    "directed": "the device can be made to hold requests and to grow, as that of the reference",
    "data": "the suite knows how to move data through this type of device",
}
"""What a case may need besides features."""


class Discovered(NamedTuple):
    """What is known of a back-end before the first case."""

    features: int
    protocol_features: int
    queues: int | None = None
    slots: int | None = None
    config: bytes = b""
    device: Device | None = None
    abilities: frozenset[str] = frozenset()
    idle: float = 0.0
    """How busy the process is while it has nothing to do, from 0 to 1."""
    idle_with_rings: float = 0.0
    """The same while rings run: a back-end may poll them only then."""

    def offers(self, name: str) -> bool:
        """Whether it has a feature or an ability of this name."""
        if name.startswith("without "):
            return not self.offers(name.removeprefix("without "))
        if name in ABILITIES:
            return name in self.abilities
        if name in PROTOCOL_FEATURES.numbers:
            return bool(self.protocol_features >> PROTOCOL_FEATURES.numbers[name] & 1)
        return name in feature_names(self.device, self.features)

    def unmet(self, case: Case) -> tuple[Verdict, str] | None:
        """Why a case cannot be played, None if it can."""
        here = self.device.name if self.device is not None else "unknown"
        if (case.device and case.device != here) or here in case.not_device:
            return Verdict.SKIP, f"not for a device of type {here}"
        for need in case.needs:
            if self.offers(need):
                continue
            if need in ABILITIES:
                verdict = Verdict.UNIMPLEMENTED if need == "reconnect" else Verdict.SKIP
                return verdict, f"only if {ABILITIES[need]}"
            if need.startswith("without "):
                return Verdict.SKIP, f"{need.removeprefix('without ')} is offered"
            return Verdict.UNIMPLEMENTED, f"{need} is not offered"
        return None


def discover(stage: Stage, device: Device | None) -> Discovered:
    """Ask a back-end what it is, over one connection; `DeviationError` if it does not answer what all must answer."""
    asked = stage.ask("F>B GET_FEATURES ")
    features = asked.fields["features"] if asked is not None else 0
    protocol_features = 0
    queues = slots = None
    config = b""
    if features & VIRTIO_FEATURES.mask("PROTOCOL_FEATURES"):
        answered = stage.ask("F>B GET_PROTOCOL_FEATURES ")
        protocol_features = answered.fields["features"] if answered is not None else 0
        known = PROTOCOL_FEATURES.mask("MQ", "REPLY_ACK", "CONFIG", "CONFIGURE_MEM_SLOTS") & protocol_features
        stage.ask(f"F>B SET_PROTOCOL_FEATURES features={known:#x}")
        state = stage.state()
        if state.has("MQ"):
            answered = stage.ask("F>B GET_QUEUE_NUM ")
            queues = answered.fields.get("queues") if answered is not None else None
        if state.has("CONFIGURE_MEM_SLOTS"):
            answered = stage.ask("F>B GET_MAX_MEM_SLOTS ")
            slots = answered.fields.get("slots") if answered is not None else None
        if state.has("CONFIG"):
            config = _config(stage)
    if device is None:
        guess = stage.state().guess.after_features(features)
        if config:
            guess = DeviceGuess(guess.device) if guess.device else guess.after_config(len(config))
        device = guess.device
    if device is not None:
        # Some back-ends give as many bytes as are asked for, whatever they have.
        config = config[: device.config.size]
    return Discovered(features, protocol_features, queues, slots, config, device)


def _config(stage: Stage) -> bytes:
    """As much of the configuration space as the back-end gives at once; b"" if it gives none."""
    for size in _CONFIG_SIZES:
        try:
            answered = stage.ask(f"F>B GET_CONFIG offset=0 size={size}")
        except DeviationError as deviation:
            if deviation.behaviour is Behaviour.REFUSED:
                continue
            raise
        contents = bytes.fromhex(answered.fields.get("contents", "")) if answered is not None else b""
        if contents:
            return contents
    return b""
