"""Check a message with the decoder of the service that reads it."""

from datetime import datetime

from orderflow.console.terminal import CommandError
from services import registry
from services.runtime.batch.items import ItemFailed
from services.runtime.incoming import Refusals
from services.runtime.messages.records import FieldError, Original
from services.runtime.rejections import Rejection


def check_readable(service: str, original: Original, index: int, now: datetime) -> None:
    """Check that the service can decode item `index` of the message.

    Raises:
        CommandError: the service would reject the item; lists each field's error.
    """
    flaws = flaws_in(service, original, index, now)
    if flaws:
        lines = "\n".join(f"{flaw.pointer or '/'}: {flaw.message}" for flaw in flaws)
        raise CommandError(
            f"{service} could not read it; --unchecked goes on all the same:\n{lines}"
        )


def flaws_in(service: str, original: Original, index: int, now: datetime) -> list[FieldError]:
    """Errors the service would reject the item for; none if the decoder itself fails."""
    try:
        refusals = _refusals(service, original, index, now)
    except ItemFailed:
        return []
    return [error for refusal in refusals for error in refusal.errors]


def _refusals(service: str, original: Original, index: int, now: datetime) -> list[Rejection]:
    read: Refusals = registry.load(registry.entry_of(service).refusals or "")
    try:
        return read(original, index, now)
    except LookupError as error:
        raise CommandError(f"{error} any more") from None
