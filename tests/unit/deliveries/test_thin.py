"""The body `thin`: without `context`, and small, whatever an event holds."""

import copy
import gzip
import json
import time
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from standardwebhooks import Webhook

from schemas.events import CLAIM_EVENTS, ORDER_EVENTS, SHIPMENT_EVENTS
from schemas.example_files import load_examples
from services.deliveries.domain.destination import Form, Target
from services.deliveries.messages.encode import body_of, request_headers
from services.deliveries.messages.signing import secret_text
from services.deliveries.messages.thin import DATA_KEPT, DESCRIBING, KEPT, THIN_BYTES, thin_body

MODELS = {**ORDER_EVENTS, **SHIPMENT_EVENTS, **CLAIM_EVENTS}
IDENTITY = KEPT - {"event_data", "event_data_truncated"}
RAW = msgspec.json.Decoder(dict[str, msgspec.Raw])
TEXTS = st.builds(lambda text, times: text * times, st.text(max_size=20), st.integers(0, 2_000))
VALUES = st.one_of(
    TEXTS,
    st.lists(TEXTS, max_size=4),
    st.dictionaries(st.text(max_size=5), TEXTS, max_size=3),
    st.builds(lambda n: [f"https://e.example/{i}.jpg" for i in range(n)], st.integers(0, 3_000)),
)
ITEMS = st.builds(
    lambda count, pictures: [
        {"sku": f"SKU-{n}", "quantity": 1, "image_urls": ["https://e.example/p.jpg"] * pictures}
        for n in range(count)
    ],
    st.integers(0, 500),
    st.integers(0, 20),
)


def an_example(type_):
    """The event of the first example of a type, as a value of its own."""
    return copy.deepcopy(load_examples(type_)[0].value)


def describing_members(type_):
    """The members of `event_data` of a type that may be left out, in the order of the model."""
    names = MODELS[type_].model_fields["event_data"].annotation.model_fields
    return [name for name in names if name not in DATA_KEPT]


@st.composite
def events(draw, type_):
    """An event of a type with large descriptions, as it is written or as plain ASCII."""
    event = an_example(type_)
    names = st.sampled_from([*describing_members(type_), "of_a_later_version"])
    event["event_data"] |= draw(st.dictionaries(names, VALUES, max_size=6))
    if type_ in CLAIM_EVENTS:
        event["event_data"]["selected_items"] = draw(ITEMS)
    if draw(st.booleans()):
        event["added_later"] = draw(VALUES)
    return json.dumps(event, ensure_ascii=draw(st.booleans())).encode()


def required_of(model):
    """The members that `event_data` cannot be read without."""
    fields = model.model_fields["event_data"].annotation.model_fields
    return {name for name, field in fields.items() if field.is_required()}


def members_of(value):
    """The members of a JSON object, each with its bytes."""
    return {name: bytes(raw) for name, raw in RAW.decode(value).items()}


def without_context(value):
    """An event as it would be sent without a bound."""
    members = RAW.decode(value)
    members.pop("context")
    members.pop("context_truncated")
    return msgspec.json.encode(members)


@pytest.mark.parametrize("type_", sorted(MODELS))
@settings(max_examples=25)
@given(data=st.data())
def test_thin_body_is_small_and_marked_and_keeps_the_bytes_of_what_stays(type_, data):
    value = data.draw(events(type_))

    body = thin_body(value)

    assert len(body) < THIN_BYTES
    assert required_of(MODELS[type_]) <= json.loads(body)["event_data"].keys()
    was, now = members_of(value), members_of(body)
    assert now.keys() <= was.keys() | {"event_data_truncated"}
    assert {name: now[name] for name in IDENTITY} == {name: was[name] for name in IDENTITY}
    data_was, data_now = members_of(was["event_data"]), members_of(now["event_data"])
    assert DATA_KEPT & data_was.keys() <= data_now.keys() <= data_was.keys()
    for name in data_now.keys() - {"selected_items"}:
        assert data_now[name] == data_was[name]
    whole = without_context(value)
    assert (body == whole) == (len(whole) < THIN_BYTES)
    assert ("event_data_truncated" in now) == (body != whole)


@pytest.mark.parametrize("name", DESCRIBING)
def test_thin_body_is_cut_in_the_order_of_the_contract(name):
    event = an_example("claim.created")
    large = dict.fromkeys(DESCRIBING[: DESCRIBING.index(name) + 1], "x" * THIN_BYTES)
    event["event_data"] |= dict.fromkeys(DESCRIBING, "small") | large

    left = json.loads(thin_body(json.dumps(event).encode()))["event_data"]

    assert [each for each in DESCRIBING if each in left] == list(
        DESCRIBING[DESCRIBING.index(name) + 1 :]
    )


def test_thin_body_loses_pictures_of_goods_before_the_goods():
    event = an_example("claim.created")
    item = {
        "sku": "TASSE-GR\u00dcN",
        "quantity": 2,
        "image_urls": ["https://e.example/" + "p" * 900],
    }
    event["event_data"]["selected_items"] = [item] * 40
    value = json.dumps(event, ensure_ascii=False).encode()

    body = json.loads(thin_body(value))

    assert body["event_data_truncated"] is True
    goods = {"sku": "TASSE-GR\u00dcN", "quantity": 2}
    assert body["event_data"] == {**event["event_data"], "selected_items": [goods] * 40}


def test_page_of_webhooks_names_what_is_cut_in_its_order():
    page = Path("docs/contract/webhooks.md").read_text()

    assert ", ".join(f"`{name}`" for name in DESCRIBING) in page
    assert f"{THIN_BYTES:,} bytes" in page


def target_of(form):
    """A destination that asks for this form."""
    page = "https://shop.example/orders/{order_number}"
    return Target("webhook", "https://hooks.shop.example/", form=form, order_url=page)


@pytest.mark.parametrize("form", list(Form))
@pytest.mark.parametrize(
    "text", ["plain", "\u00e4\u6f22\U0001f4e6" * 200_000], ids=["small", "large"]
)
def test_body_that_is_compressed_is_the_one_that_is_signed(form, text):
    event = an_example("shipment.scanned")
    event["event_data"]["carrier_text"] = text
    body = body_of(json.dumps(event, ensure_ascii=False).encode(), target_of(form))
    secret = secret_text(bytes(32))

    headers, data = request_headers(
        [secret], event["event_id"], body, int(time.time()), {}, is_gzip=True
    )

    assert gzip.decompress(data) == body
    assert Webhook(secret).verify(gzip.decompress(data), headers) == json.loads(body)
    assert len(data) <= len(body)
