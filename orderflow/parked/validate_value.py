"""Whether a service can read a message, told by the service's own reader."""

from datetime import datetime

from orderflow.console.terminal import CommandError
from services.analytics.intake import read_batch
from services.claims import intake
from services.orders.messages import decode
from services.runtime.batch.batch import Batch
from services.runtime.batch.items import WHOLE, ItemFailed
from services.runtime.messages.records import FieldError, Original
from services.runtime.rejections import Rejection


def check_readable(service: str, original: Original, index: int, now: datetime) -> None:
    """See that the service would not refuse item `index` of the message before it decides.

    Raises:
        CommandError: it would; says each field's flaw.
    """
    flaws = flaws_in(service, original, index, now)
    if flaws:
        lines = "\n".join(f"{flaw.pointer or '/'}: {flaw.message}" for flaw in flaws)
        raise CommandError(
            f"{service} could not read it; --unchecked goes on all the same:\n{lines}"
        )


def flaws_in(service: str, original: Original, index: int, now: datetime) -> list[FieldError]:
    """What the service would refuse the item for; nothing where reading itself has a bug."""
    try:
        refusals = _refusals(service, original, index, now)
    except ItemFailed:
        return []
    return [error for refusal in refusals for error in refusal.errors]


def _refusals(service: str, original: Original, index: int, now: datetime) -> list[Rejection]:
    if service == "claims":
        return intake.read(Batch((original,), now)).refused
    if service == "analytics":
        return read_batch(Batch((original,), now)).refused
    entries = decode.read(original, now, None if index == WHOLE else index)
    if not entries:
        raise CommandError(f"the message holds no item {index} any more")
    return [entry for entry in entries if isinstance(entry, Rejection)]
