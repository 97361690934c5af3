"""The error of a field says in plain words what the field must be, and quotes no value."""

import pytest

from schemas import commands, patterns
from services.runtime.messages.json_codec import Malformed, validate

UPSERT = {"shop_slug": "demo-shop", "id": "1001"}


def error_of(model, body) -> tuple[str, str]:
    with pytest.raises(Malformed) as refused:
        validate(model, body)
    (error,) = refused.value.errors
    return error.pointer, error.message


def in_tracking(value) -> dict:
    return {**UPSERT, "trackings": [{"tracking_number": value}]}


@pytest.mark.parametrize(
    ("body", "pointer", "message"),
    [
        ([], "", "must be an object, not a list"),
        ({"id": "1001"}, "/shop_slug", "Field required"),
        ({**UPSERT, "id": 1001}, "/id", "must be a text, not a number"),
        ({**UPSERT, "id": ""}, "/id", "must not be empty"),
        ({**UPSERT, "trackings": {}}, "/trackings", "must be a list, not an object"),
        ({**UPSERT, "order": "1"}, "/order", "must be an object, not a text of 1 characters"),
        (
            {**UPSERT, "source_version": "new"},
            "/source_version",
            "must be a whole number, not a text of 3 characters",
        ),
        (
            {**UPSERT, "trackings": [{"tracking_number": "1Z9", "products": [{"quantity": -1}]}]},
            "/trackings/0/products/0/quantity",
            "must be at least 1",
        ),
        (
            {**UPSERT, "id_type": "number"},
            "/id_type",
            "must be 'order_number', 'external_id', 'order_name' or 'uuid'",
        ),
        (
            in_tracking("N1"),
            "/trackings/0/tracking_number",
            "must have at least three letters or digits",
        ),
        (
            in_tracking("9" * 513),
            "/trackings/0/tracking_number",
            "must have at most 512 characters",
        ),
        (
            {**UPSERT, "shop_slug": "Demo shop"},
            "/shop_slug",
            patterns.IN_WORDS[patterns.SHOP_SLUG],
        ),
    ],
)
def test_error_text_of_an_upsert_says_what_is_taken(body, pointer, message):
    assert error_of(commands.OrderUpsert, body) == (pointer, message)


def test_error_text_of_an_empty_bulk_command_says_how_many_items_are_needed():
    body = {"shop_slug": "demo-shop", "items": []}

    assert error_of(commands.OrdersFulfillBulk, body) == ("/items", "must have at least 1 entry")


def test_every_pattern_of_the_contract_is_in_words():
    defined = {value for value in vars(patterns).values() if str(value).startswith("^")}

    assert set(patterns.IN_WORDS) == defined
