"""The body `ucp`: what holds for any order that can be, and for each example."""

import itertools
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.example_files import load_examples
from services.deliveries.messages.ucp.log import read_log, write_log
from services.deliveries.messages.ucp.order import ucp_body
from services.orders.domain.model.order import BundledProduct, Product
from tests.unit.deliveries.ucp import ORDER, PAGE, contents, sent_of, validator_of, values_of
from tests.unit.orders.builders import (
    HOUR,
    NOON,
    Desk,
    attach,
    cancel,
    fields,
    place,
    update_shipment,
    upsert,
    void,
)
from tests.unit.orders.test_properties import PLAYS, REPORTS

PRICES = st.one_of(st.none(), st.decimals("-20", "9999999.9999", places=4))
COUNTS = st.integers(0, 4)
BUNDLED = st.builds(
    BundledProduct, sku=st.sampled_from(["a", "p", "q"]), quantity=st.integers(1, 3)
)
LINES = st.lists(
    st.builds(
        Product,
        line_id=st.sampled_from([None, None, "1", "line-1"]),
        sku=st.sampled_from([None, "a", "b", "c", "MUG-ÜÖ"]),
        quantity=COUNTS,
        price=PRICES,
        bundled_products=st.lists(BUNDLED, max_size=2).map(tuple),
    ),
    max_size=4,
).map(tuple)
PLACED = st.builds(
    lambda lines, currency, amounts, expected: place(
        products=lines,
        currency=currency,
        expected_number_of_shipments=expected,
        **dict(
            zip(
                ("total_order_price", "shipping_price", "sub_total_price", "discount_price"),
                amounts,
                strict=True,
            )
        ),
    ),
    LINES,
    st.sampled_from(["EUR", "JPY", "KWD"]),
    st.lists(st.one_of(st.none(), st.decimals(0, 10**6, places=3)), min_size=4, max_size=4),
    st.sampled_from([1, 2, 3]),
)
HELD = st.one_of(st.none(), LINES)
SENT = st.builds(
    lambda number, lines: attach(number, products=lines), st.sampled_from(["N1", "N2", "N3"]), HELD
)
MOVES = st.one_of(
    SENT,
    SENT,
    REPORTS,
    REPORTS,
    st.builds(lambda lines: upsert(order=fields(products=lines)), LINES),
    st.builds(
        lambda number, lines: update_shipment(tracking_number=number, products=lines),
        st.sampled_from(["N1", "N2"]),
        LINES,
    ),
    st.builds(
        lambda number: void(tracking_number=number, is_forced=True), st.sampled_from(["N1", "N2"])
    ),
    st.builds(cancel),
)
LIVES = st.builds(lambda placed, moves: [placed, *moves], PLACED, st.lists(MOVES, max_size=8))
ANY = st.one_of(LIVES, LIVES, PLAYS)


def sent_of_all(commands):
    """The bodies of all orders of some commands, by order."""
    values = values_of(Desk(now=NOON + 300 * HOUR), commands)
    return [sent_of(each) for each in values.values()]


@settings(max_examples=100)
@given(ANY)
def test_ucp_body_of_any_order_is_as_the_schema_of_the_protocol_says(commands):
    for sent in itertools.chain.from_iterable(sent_of_all(commands)):
        validator_of(ORDER).validate(sent.body)


@settings(max_examples=100)
@given(ANY)
def test_ucp_quantities_are_never_negative_or_above_what_was_ordered(commands):
    for sent in itertools.chain.from_iterable(sent_of_all(commands)):
        lines, body = sent.event["context"]["order"]["products"], sent.body
        assert len(body["line_items"]) == len(lines)
        ordered = {}
        for line, each in zip(lines, body["line_items"], strict=True):
            quantity, ordered[each["id"]] = each["quantity"], line["quantity"]
            assert 0 <= quantity["fulfilled"] <= quantity["total"] <= line["quantity"]
        assert len(ordered) == len(lines)
        expected = dict.fromkeys(ordered, 0)
        for group in body["fulfillment"]["expectations"]:
            for id_, quantity in contents(group).items():
                expected[id_] += quantity
        assert all(expected[id_] <= ordered[id_] for id_ in ordered)


@settings(max_examples=100)
@given(ANY)
def test_ucp_totals_add_up(commands):
    for sent in itertools.chain.from_iterable(sent_of_all(commands)):
        for totals in (sent.body["totals"], *(e["totals"] for e in sent.body["line_items"])):
            amounts = [each["amount"] for each in totals]
            assert amounts[-1:] == [sum(amounts[:-1])] or not amounts
            assert all(isinstance(each, int) for each in amounts)


@settings(max_examples=100)
@given(ANY)
def test_ucp_events_are_appended_to_and_never_changed(commands):
    for bodies in sent_of_all(commands):
        before = []
        for sent in bodies:
            events = sent.body["fulfillment"]["events"]
            assert events[: len(before)] == before
            assert len({each["id"] for each in events}) == len(events)
            before = events


@settings(max_examples=50)
@given(ANY, st.randoms())
def test_ucp_events_are_appended_to_in_whatever_order_events_come(commands, rng):
    for values in values_of(Desk(now=NOON + 300 * HOUR), commands).values():
        mixed = rng.sample(values + values, 2 * len(values))
        logs = [each.log for each in sent_of(mixed)]
        once = list(dict.fromkeys(mixed))
        assert sent_of(once)[-1].log == logs[-1]
        assert all(after[: len(log)] == log for log, after in itertools.pairwise(logs))


@settings(max_examples=50)
@given(ANY)
def test_ucp_body_is_the_same_each_time_and_from_a_stored_log(commands):
    for bodies in sent_of_all(commands):
        whole = write_log(bodies[-1].log)
        for sent in bodies:
            again = ucp_body(sent.value, read_log(whole)[: len(sent.log)], PAGE)
            assert json.loads(again) == sent.body


@pytest.mark.parametrize(
    "example",
    [e for e in load_examples() if isinstance(e.value, dict) and "context" in e.value],
    ids=lambda each: f"{each.type}-{each.case}",
)
def test_ucp_body_of_each_example_is_as_the_schema_says(example):
    (sent,) = sent_of([json.dumps(example.value).encode()])

    validator_of(ORDER).validate(sent.body)
