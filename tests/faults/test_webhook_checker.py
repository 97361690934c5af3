"""The checker of webhooks finds what is wrong at receivers, and nothing where nothing is."""

from collections.abc import Callable
from dataclasses import replace

import orjson
import pytest

from chaos.checker.findings import Findings
from chaos.checker.ledger import Ledger
from chaos.checker.webhooks import Hook, Request, WebhookLedger
from demo.journal import Entry
from services.deliveries.messages.signing import secret_text, signature_headers

SHOP, OTHER = Hook("a", "steady", ("shipments",)), Hook("b", "steady")
SECRETS = {SHOP: secret_text(bytes(32)), OTHER: secret_text(bytes(range(32)))}
ORDER = "order-1"


def event(sequence: int, *, shop: str = "a", ref: str = "shipments/in_transit/SORTED") -> Entry:
    """One event on its topic."""
    id_ = f"{shop}-{ref}-{sequence}"
    body = {
        "event_id": id_, "shop_slug": shop, "order_id": ORDER, "sequence": sequence, "ref": ref,
        "source": ref.partition("/")[0], "event_data": {"notify": False}, "context": {"order": {}},
    }  # fmt: skip
    topic = f"{body['source']}.events"
    headers = {"ce_id": id_, "ce_type": "shipment.scanned", "ce_sequence": str(sequence)}
    return Entry(topic, 0, sequence, ORDER, orjson.dumps(body), headers)


def request(entry: Entry, *, secret: str = SECRETS[SHOP], body: bytes | None = None) -> Request:
    """The request of an event, signed."""
    value = entry.value if body is None else body
    headers = signature_headers([secret], entry.id, 1_772_000_000, value)
    return Request({**headers, "orderflow-sequence": entry.headers["ce_sequence"]}, value)


def found(*acts: Callable[[WebhookLedger], None], events: tuple[Entry, ...] = ()) -> dict[str, int]:
    """What the checker counts after these acts, where these events are on the topics."""
    log = WebhookLedger(Ledger(Findings()), (SHOP, OTHER), dict(SECRETS))
    for entry in events or EVENTS:
        log.take(entry)
    for act in acts:
        act(log)
    log.check()
    return {kind: count for kind, count in log.ledger.findings.counts.items() if count}


def comes(got: Request, *, to: Hook = SHOP, is_taken: bool = True) -> Callable[..., None]:
    """A request arrives, and is answered with 2xx or not."""

    def act(log: WebhookLedger) -> None:
        log.arrived(to, got)
        if is_taken:
            log.answered(to, got)

    return act


ONE, TWO, THREE = EVENTS = tuple(event(n) for n in (1, 2, 3))
TAKEN = tuple(comes(request(each)) for each in EVENTS)


def test_webhook_checker_finds_nothing_in_correct_requests() -> None:
    assert found(*TAKEN) == {}


def test_webhook_checker_takes_a_repeat_before_the_next_event() -> None:
    refused = comes(request(TWO), is_taken=False)

    assert found(TAKEN[0], refused, refused, *TAKEN[1:]) == {}
    assert found(TAKEN[0], *TAKEN) == {}


def test_webhook_checker_takes_one_late_repeat_of_an_order() -> None:
    assert found(*TAKEN, TAKEN[0]) == {}
    assert found(*TAKEN, TAKEN[0], TAKEN[0]) == {"reordered": 1}


def test_webhook_checker_expects_only_events_of_the_filters() -> None:
    assert found(*TAKEN, events=(*EVENTS, event(4, ref="orders/ORDER_UPDATED"))) == {}
    assert found(*TAKEN, events=(*EVENTS, event(4, ref="shipments/delivered/DELIVERED"))) == {
        "lost": 1
    }


def test_webhook_checker_expects_no_snapshot_but_by_its_ref() -> None:
    snapshot = event(1, shop="b", ref="orders/ORDER_SNAPSHOT")
    snapshot = replace(snapshot, headers={**snapshot.headers, "ce_type": "order.snapshot"})

    assert found(*TAKEN, events=(*EVENTS, snapshot)) == {}


@pytest.mark.parametrize(
    ("acts", "kind"),
    [
        (TAKEN[:2], "lost"),
        ((*TAKEN[:2], comes(request(THREE), is_taken=False)), "lost"),
        ((TAKEN[0], TAKEN[2], TAKEN[1]), "reordered"),
        ((*TAKEN, TAKEN[0], TAKEN[1]), "reordered"),
        ((TAKEN[0], comes(request(TWO), is_taken=False), TAKEN[2], TAKEN[1]), "reordered"),
        ((*TAKEN, comes(request(THREE, body=THREE.value + b" "))), "torn"),
        ((*TAKEN[:2], comes(request(THREE, body=THREE.value + b" "))), "torn"),
        ((*TAKEN, comes(request(replace(THREE, headers={**THREE.headers, "ce_id": "x"})))),
         "duplicated"),
        ((*TAKEN, comes(request(event(4)))), "leaked"),
        ((*TAKEN, comes(request(event(1, ref="claims/opened")))), "leaked"),
        ((*TAKEN, comes(request(event(1, shop="b")))), "leaked"),
        ((*TAKEN[:2], comes(request(THREE, secret=SECRETS[OTHER]))), "leaked"),
        ((*TAKEN[:2], comes(request(THREE, secret=secret_text(bytes(31))))), "leaked"),
        ((*TAKEN, lambda log: log.connected_where_forbidden("a name", "10.0.0.1")), "leaked"),
    ],
    ids=[
        "missing", "never taken", "later first", "back again and again", "past a refused one",
        "repeat with another body", "other bytes than published", "another id",
        "no event of a topic", "not of the filters", "of another shop",
        "signed by another shop", "signed by no secret", "forbidden address",
    ],
)  # fmt: skip
def test_webhook_checker_finds_wrong_requests(
    acts: tuple[Callable[..., None], ...], kind: str
) -> None:
    assert found(*acts)[kind] > 0


def test_webhook_checker_names_the_destination_whose_secret_signed() -> None:
    log = WebhookLedger(Ledger(Findings()), (SHOP, OTHER), dict(SECRETS))

    log.arrived(SHOP, request(ONE, secret=SECRETS[OTHER]))

    (text,) = map(str, log.ledger.findings.all)
    assert text.endswith("is signed by the secret of b/steady")
