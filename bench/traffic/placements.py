"""What an order holds, made up to a size: more lines, then longer texts."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime

from bench.traffic.messages import Json, encode
from demo.sample_data import CATALOGUE, PLACES, Place

PEOPLE = ("Ada Beispiel", "Grace Muster", "Jürgen Groß", "Zoë Lefèvre", "João Araújo")
# Orders below say the least that shops say.
TERSE_BELOW_BYTES = 500
# Orders below have plain lines; shops that send more send pictures and taxes with each.
PLAIN_BELOW_BYTES = 1_000
PROSE = (
    "hand-finished in small series, dishwasher safe, with a gift box and a card, "
    "glaze and grain differ from piece to piece, spare parts for ten years, "
)


def placement(rng: random.Random, number: str, at: datetime, weight: int) -> Json:
    """An order that encodes to exactly `weight` bytes.

    Raises:
        ValueError: so small an order has no room for one line.
    """
    made = _bare(rng, number, at, weight)
    lines: list[Json] = made["products"]
    room = weight - len(encode(made))
    for line in _lines(rng, is_plain=weight < PLAIN_BELOW_BYTES):
        taken = len(encode(line)) + bool(lines)
        if lines and taken > room:
            break
        lines.append(line)
        room -= taken
    if room < 0:
        raise ValueError(f"an order of {weight} bytes has no room: ask for {-room} more")
    _lengthen(lines, room)
    return made


def _bare(rng: random.Random, number: str, at: datetime, weight: int) -> Json:
    goods, shipping = rng.randrange(900, 25_000), 490
    made: Json = {
        "order_number": number,
        "external_id": f"gid-{number}",
        "order_placed_at": at.isoformat(),
        "total_order_price": _money(goods + shipping),
        "address": address(rng, rng.choice(PLACES)),
        "products": [],
    }
    if weight >= TERSE_BELOW_BYTES:
        made["currency"] = "EUR"
        made["sub_total_price"], made["shipping_price"] = _money(goods), _money(shipping)
        made["email_id"] = f"customer.{number}@mail.example"
    return made


def address(rng: random.Random, place: Place) -> Json:
    """A customer at a place."""
    return {
        "name": rng.choice(PEOPLE),
        "street": f"Beispielstraße {rng.randrange(1, 200)}",
        "city": place.city,
        "zip_code": place.zip_code,
        "country_code": place.country_code,
    }


def _lines(rng: random.Random, *, is_plain: bool) -> Iterator[Json]:
    at = 0
    while True:
        at += 1
        sku, title, price = rng.choice(CATALOGUE)
        line = {
            "line_id": f"{at}",
            "sku": sku,
            "title": title,
            "quantity": rng.randrange(1, 4),
            "price": price,
        }
        yield line if is_plain else {**line, **_decoration(at, sku)}


def _decoration(at: int, sku: str) -> Json:
    return {
        "product_id": f"p-{at:04}",
        "variant_id": f"v-{at:04}-{sku}",
        "images": [{"src": f"https://shop.example/img/{sku.lower()}.png"}],
        "tax_lines": [{"title": "VAT", "rate": "0.19", "price": "2.07"}],
    }


def _lengthen(lines: list[Json], room: int) -> None:
    """Fill what is left with words, a fair share in each title."""
    share, rest = divmod(room, len(lines))
    for at, line in enumerate(lines):
        added = share + (at < rest)
        line["title"] += (", " + PROSE * (added // len(PROSE) + 1))[:added]


def _money(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02}"
