"""`orderflow keys`: API keys of the gateway: make, list, revoke."""

import re
from collections.abc import Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import Annotated

import typer
from pydantic import TypeAdapter, ValidationError
from rich.markup import escape
from rich.table import Table

from orderflow.console.audit_options import By, Why, sign
from orderflow.console.databases import opened
from orderflow.console.environment import load_settings
from orderflow.console.terminal import (
    CommandError,
    Commands,
    Json,
    WrongArgument,
    out,
    print_json,
    run,
)
from schemas.values import ShopSlug
from services import registry
from services.gateway.access.keys import ACTIVITY, CARRIER, SHOP, NewKey
from services.gateway.operations import keys as operations
from services.gateway.operations.keys import Owner, StoredKey
from services.runtime.clock import SystemClock
from services.runtime.config.settings import Settings
from services.runtime.messages.error_text import text_of
from services.runtime.messages.records import HEADER_MAX_CHARACTERS
from services.runtime.operations.audit import Signature

GATEWAY = "gateway"
DAYS_MAX = 3_660
_SOURCE = re.compile(rf"[^\s\x00-\x1f\x7f-\x9f]{{1,{HEADER_MAX_CHARACTERS}}}")
_SLUG: TypeAdapter[str] = TypeAdapter(ShopSlug)

app = typer.Typer(cls=Commands, help="API keys of the gateway.", no_args_is_help=True)

Shop = Annotated[str | None, typer.Option(help="The shop, by its slug.")]
Carrier = Annotated[
    str | None,
    typer.Option(help="The form that a carrier or aggregator sends, such as dhl_unified."),
]


@app.command("add")
def add(  # noqa: PLR0917 - the command line passes them by name
    shop: Shop = None,
    carrier: Carrier = None,
    source: Annotated[
        str | None,
        typer.Option(help="ce_source of what is sent with it; /shops/… or /carriers/… unless set."),
    ] = None,
    only_activity: Annotated[
        bool,
        typer.Option(
            "--only-activity", help="For tracking pages: may send activity of the shop alone."
        ),
    ] = False,
    rate: Annotated[
        float | None, typer.Option(min=0.01, max=1_000_000, help="Messages a second.")
    ] = None,
    days: Annotated[
        int | None, typer.Option(min=1, max=DAYS_MAX, help="Expires after so many days.")
    ] = None,
    by: By = None,
    why: Why = None,
    json: Json = False,
) -> None:
    """Make an API key for a shop, or for the sender of a form of tracking, and show it once.

    Only its hash is stored. One system, one key: its messages have the source of the key. A key
    that stands in a page can be read by everybody: give pages one with --only-activity. Keys are
    written by the login of DATABASE_URL, as `migrate` does.

    Example: `orderflow keys add --shop demo-shop --why 'the shop system'`
    """
    owner = _owner(shop, carrier, source, only_activity)
    signature = sign(by, why, is_try=False)
    made = run(_add(load_settings(), owner, signature, rate, days))
    if json:
        print_json({"id": made.id, "key": made.text, **asdict(owner)})
        return
    out.print(f"key: {made.text}", markup=False)
    out.print("It is not shown again; who has it may send.")
    out.print(
        f"keys: added={made.id} {owner.kind}={owner.name} source={owner.source}", markup=False
    )


@app.command("list")
def list_(
    shop: Shop = None,
    carrier: Carrier = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Also those that were revoked or have expired.")
    ] = False,
    json: Json = False,
) -> None:
    """List API keys, newest first; never the keys themselves.

    Example: `orderflow keys list --shop demo-shop --all`
    """
    if shop and carrier:
        raise WrongArgument("name --shop or --carrier, not both")
    kinds = (SHOP, ACTIVITY) if shop else (CARRIER,) if carrier else None
    found = run(_find(load_settings(), kinds, shop or carrier, not everything))
    if json:
        for key in found:
            print_json(asdict(key))
        return
    if found:
        out.print(_table(found))
    out.print(f"keys: shown={len(found)}")


@app.command("revoke")
def revoke(
    key: Annotated[str, typer.Argument(metavar="ID", help="The id, as `keys list` shows it.")],
    by: By = None,
    why: Why = None,
) -> None:
    """End an API key; gateways refuse it within ORDERFLOW_GATEWAY_KEY_CACHE_SECONDS.

    Example: `orderflow keys revoke k3j2abcd7q2x --why 'it was in a log'`
    """
    if key.startswith("ofk_"):
        raise WrongArgument("name the key by its id, the part between the two _ of the key")
    signature = sign(by, why, is_try=False)
    if not run(_revoke(load_settings(), key, signature)):
        raise CommandError(f"there is no key {key} that is not revoked: `keys list --all`")
    out.print(f"keys: revoked={key}", markup=False)


def _owner(shop: str | None, carrier: str | None, source: str | None, only_activity: bool) -> Owner:
    """Whose the key will be.

    Raises:
        WrongArgument: neither or both are named, or no message can have what is named.
    """
    if bool(shop) == bool(carrier):
        raise WrongArgument("name --shop or --carrier, one of them")
    if source is not None and not _SOURCE.fullmatch(source):
        raise WrongArgument(
            f"{source[:40]!r} is no source: 1 to {HEADER_MAX_CHARACTERS} characters without spaces "
            "and control characters, like /erp/7"
        )
    if carrier and only_activity:
        raise WrongArgument("--only-activity is for the pages of a shop: name --shop")
    if carrier:
        known = _senders()
        if carrier not in known:
            raise WrongArgument(f"no form {carrier}; there are {', '.join(known)}")
        return Owner(CARRIER, carrier, source or f"/carriers/{carrier}")
    try:
        slug = _SLUG.validate_python(shop)
    except ValidationError as error:
        why = "; ".join(text_of(each) for each in error.errors(include_url=False))
        raise WrongArgument(f"{str(shop)[:80]!r} is no shop_slug: {why}") from None
    if only_activity:
        return Owner(ACTIVITY, slug, source or f"/shops/{slug}/pages")
    return Owner(SHOP, slug, source or f"/shops/{slug}")


def _senders() -> list[str]:
    entries = (registry.entry_of(name) for name in registry.names())
    return sorted(
        name for entry in entries if entry.senders for name in registry.load(entry.senders)
    )


async def _add(
    settings: Settings, owner: Owner, signature: Signature, rate: float | None, days: int | None
) -> NewKey:
    expires_at = SystemClock().now() + timedelta(days=days) if days else None
    async with operations.opened_by_owner(settings) as connection:
        return await operations.add(
            connection, owner, signature, per_second=rate, expires_at=expires_at
        )


async def _revoke(settings: Settings, key: str, signature: Signature) -> bool:
    async with operations.opened_by_owner(settings) as connection:
        return await operations.revoke(connection, key, signature)


async def _find(
    settings: Settings, kinds: Sequence[str] | None, name: str | None, only_valid: bool
) -> list[StoredKey]:
    async with opened(settings, GATEWAY) as connection:
        return await operations.find(connection, kinds, name, only_valid=only_valid)


def _table(found: list[StoredKey]) -> Table:
    table = Table(box=None)
    for title in ("id", "of", "source", "a second", "since", "until", "why"):
        table.add_column(title)
    for key in found:
        until = key.revoked_at or key.expires_at
        ended = " (revoked)" if key.revoked_at else ""
        cells = (
            key.id,
            f"{key.kind} {key.name}",
            key.source,
            f"{key.per_second:g}" if key.per_second else "",
            f"{key.created_at:%Y-%m-%d %H:%M}",
            f"{until:%Y-%m-%d %H:%M}{ended}" if until else "",
            key.note,
        )
        table.add_row(*map(escape, cells))
    return table
