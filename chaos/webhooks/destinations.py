"""The destinations of the campaign: their names say how their receivers fail."""

from __future__ import annotations

from chaos.checker.webhooks import Hook
from chaos.numbers.shared import FIRST, SECOND
from chaos.traffic import BEGINS_AT, DIARY_SHOP
from demo.messages import cloud_headers, encode
from demo.script import ScriptMessage
from schemas.deliveries import DESTINATION_UPSERT
from schemas.topics import DELIVERIES_COMMANDS

STEADY = "steady"
"""Answers always."""
REFUSING = "refusing"
"""Answers now and then with 400, 429, 500 or 503."""
HANGING = "hanging"
"""Answers some requests long after they came."""
DYING = "dying"
"""Breaks its connections, does not listen for a while, and comes back."""
MOVING = "moving"
"""Has a name that leads now here, now to an address to which no request may go."""

HOOKS = (
    Hook(DIARY_SHOP, STEADY),
    Hook(DIARY_SHOP, REFUSING),
    Hook(DIARY_SHOP, HANGING, ("orders",)),
    Hook(DIARY_SHOP, DYING, is_gzip=True),
    Hook(FIRST, STEADY, ("shipments", "claims"), only_notify=True),
    Hook(FIRST, REFUSING, ("orders", "shipments/delivered"), is_thin=True),
    Hook(FIRST, HANGING, ("shipments/delivered",)),
    Hook(FIRST, MOVING, ("orders/ORDER_PLACED",)),
    Hook(SECOND, STEADY, ("shipments",)),
    Hook(SECOND, DYING, ("orders",)),
    Hook(SECOND, REFUSING, ("shipments/in_transit", "claims")),
)


def upsert(hook: Hook, url: str) -> ScriptMessage:
    """The command that makes a destination."""
    body = {
        "shop_slug": hook.shop,
        "destination_id": hook.name,
        "url": url,
        "filters": list(hook.filters),
        "only_notify": hook.only_notify,
        "body": "thin" if hook.is_thin else "full",
        "gzip": hook.is_gzip,
    }
    id_ = f"destination/{hook}"
    return ScriptMessage(
        topic=DELIVERIES_COMMANDS,
        key=hook.shop.encode(),
        value=encode(body),
        at=BEGINS_AT,
        headers=cloud_headers(DESTINATION_UPSERT, f"shops/{hook.shop}", id_, BEGINS_AT, hook.shop),
        order_key=id_,
    )
