"""What an objective asks of the settings of a `top-k` signal, refused before anything is
trained."""

from __future__ import annotations

from recdistill.distill.schedules import Schedule, extremes
from recdistill.errors import ConfigError
from recdistill.signals.kinds import SignalKind, TopK


def require_stored_temperature(
    who: str, temperature: Schedule, kind: SignalKind | None, otherwise: str
) -> None:
    """Refuse another temperature than the signal's own: its rest cannot be taken at another.

    Args:
        who: the objective, as a person knows it.
        temperature: what it asks for.
        kind: the signal's kind; anything but `top-k` is let through.
        otherwise: what else a person can do, as a clause: "`rest: renormalise`".

    Raises:
        ConfigError: naming both temperatures.
    """
    low, high = extremes(temperature)
    if not isinstance(kind, TopK) or (low, high) == (kind.temperature, kind.temperature):
        return
    wanted = f"{low:g}" if low == high else f"{low:g} … {high:g}"
    raise ConfigError(
        f"Objective '{who}' wants the rest of the catalogue as a bucket at "
        f"temperature {wanted}, but the signals keep it at {kind.temperature:g}.",
        f"Set `temperature: {kind.temperature:g}`, or {otherwise}, or label again "
        f"with `{{kind: top-k, temperature: {low:g}}}`.",
    )


def require_listed(who: str, field: str, wanted: int, kind: SignalKind | None) -> None:
    """Refuse a `field` that asks for more items than the signal lists.

    Raises:
        ConfigError: naming both numbers.
    """
    if isinstance(kind, TopK) and wanted > kind.k:
        raise ConfigError(
            f"Objective '{who}' wants `{field}: {wanted}` of the teacher's best items, "
            f"but the signals list {kind.k}.",
            f"Set `{field}: {kind.k}` or less, or label again with `{{kind: top-k, k: {wanted}}}`.",
        )
