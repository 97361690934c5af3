"""What the tables and topics must hold where the pipeline agrees with the model."""

from operator import itemgetter


def expected_of(model):
    """By the names of `stage.Facts`, but for the positions."""
    waiting = [(key, item.at) for item, (key, _) in model.waiting.items()]
    return {
        "parked": [(item.at, kind) for _, (item, kind, _) in sorted(model.queue.items())],
        "waiting": sorted(waiting, key=itemgetter(0)),
        "outcomes": model.outcomes,
        "refusals": model.refused,
        "rejected": model.refused,
        "events": {number: order.events for number, order in model.orders.items()},
        "orders": {number: _order(model, number, each) for number, each in model.orders.items()},
        "owners": sorted(
            (number, stay.order) for number, each in model.numbers.items() for stay in each.stays
        ),
        "scans": {number: len(each.scans) for number, each in model.numbers.items() if each.scans},
    }


def _order(model, number, order):
    """With the number of each parcel, and the minute of the last scan that it sees."""
    parcels = [(each, each and _last(model, number, each)) for each in order.parcels.numbers]
    return order.city, order.is_cancelled, len(order.events), parcels


def _last(model, order, number):
    return max(model.numbers[number].seen()[order], default=None)
