"""The commands of destinations, as values."""

from __future__ import annotations

from msgspec import Struct

from services.deliveries.domain.destination import Secret, Target
from services.deliveries.domain.replay import Selection


class Command(Struct, frozen=True, kw_only=True):
    """What every command says: its id, and which destination of which shop."""

    item_id: str
    shop: str
    name: str


class Upsert(Command, frozen=True, kw_only=True):
    """Make a destination, or replace its target. `fault` says why its URL cannot be used."""

    target: Target
    secret: Secret | None
    """A new secret, used where the destination has none; None: none can be made."""
    fault: tuple[str, str] | None = None
    """A reason code and the fact, where the URL cannot be used."""


class Remove(Command, frozen=True, kw_only=True):
    """End a destination."""

    reason: str | None = None


class Pause(Command, frozen=True, kw_only=True):
    """Send nothing until it is resumed."""

    reason: str | None = None


class Resume(Command, frozen=True, kw_only=True):
    """Send again."""


class RotateSecret(Command, frozen=True, kw_only=True):
    """Sign with a new secret, and for FORMER_HOURS with the former one too."""

    secret: Secret | None


class Replay(Command, frozen=True, kw_only=True):
    """Send events again that were sent before, or that came before the destination was made."""

    selection: Selection
