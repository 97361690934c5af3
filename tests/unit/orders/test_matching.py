"""Matching of goods to order lines: as much as possible, and the same in any order."""

from __future__ import annotations

from collections import Counter
from itertools import product as every

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.orders.domain.model.matching import IDENTIFIERS, identity, match
from services.orders.domain.model.order import BundledProduct, Product

SHIRTS = (
    Product(sku="S1", title="Shirt"),
    Product(sku="S2", title="Shirt"),
    Product(sku="S1", title="Shirt long"),
)
SET = Product(sku="SET", bundled_products=(BundledProduct(sku="MUG", quantity=2),))
MUGS = Product(sku="MUG", quantity=3)
SIX_PACK = Product(sku="BEER", bundled_products=(BundledProduct(sku="BEER", quantity=6),))
BOXES = (
    Product(sku="BOX", bundled_products=(BundledProduct(sku="MUG", quantity=2),)),
    Product(sku="BOX", bundled_products=(BundledProduct(sku="TEA", quantity=2),)),
)


def found(ordered, wanted):
    """The lines of each wanted product as (line, part, quantity), and how many pieces are left."""
    return [
        ([(each.line, each.part, each.quantity) for each in found.lines], found.left)
        for found in match(ordered, wanted)
    ]


@pytest.mark.parametrize(
    ("ordered", "wanted", "expected"),
    [
        (
            SHIRTS,
            [Product(sku="S1"), Product(title="Shirt", quantity=2)],
            [([(2, None, 1)], 0), ([(0, None, 1), (1, None, 1)], 0)],
        ),
        # Of two lines that fit, the one that shares more identifiers.
        (SHIRTS, [Product(sku="S1", title="Shirt long")], [([(2, None, 1)], 0)]),
        # A title in another spelling.
        (SHIRTS, [Product(title=" SHIRT  long")], [([(2, None, 1)], 0)]),
        (
            [Product(sku="caf\u00e9")],
            [Product(sku="cafe\u0301")],
            [([(0, None, 1)], 0)],
        ),
        # A bundle uses up its parts, and the reverse.
        (
            [SET],
            [Product(sku="SET"), Product(sku="MUG", quantity=2)],
            [([(0, None, 1)], 0), ([], 2)],
        ),
        ([SET], [Product(sku="MUG", quantity=2)], [([(0, 0, 2)], 0)]),
        ([SET], [Product(sku="MUG", quantity=3)], [([(0, 0, 2)], 1)]),
        # A bundle beside single pieces of the same product.
        (
            [SET, MUGS],
            [Product(sku="MUG", quantity=3), Product(sku="SET")],
            [([(1, None, 3)], 0), ([(0, None, 1)], 0)],
        ),
        ([SET, MUGS], [Product(sku="MUG", quantity=5)], [([(0, 0, 2), (1, None, 3)], 0)]),
        # Half of a set was sent in parts: the set does not fit any more.
        (
            [SET],
            [Product(sku="MUG", quantity=1), Product(sku="SET")],
            [([], 1), ([(0, None, 1)], 0)],
        ),
        # The name of a bundle is that of its parts.
        ([SIX_PACK], [Product(sku="BEER")], [([(0, None, 1)], 0)]),
        ([SIX_PACK], [Product(sku="BEER", quantity=6)], [([(0, 0, 6)], 0)]),
        # Two bundles of one name with other parts.
        (
            BOXES,
            [Product(sku="BOX"), Product(sku="MUG", quantity=2)],
            [([(1, None, 1)], 0), ([(0, 0, 2)], 0)],
        ),
        # A kit of the warehouse, which the order has as single pieces.
        (
            [MUGS],
            [Product(sku="KIT", bundled_products=(BundledProduct(sku="MUG", quantity=2),))],
            [([(0, None, 2)], 0)],
        ),
        ([MUGS], [Product(sku="CAP")], [([], 1)]),
        ([MUGS], [Product()], [([], 1)]),
        ([], [Product(sku="MUG")], [([], 1)]),
    ],
)
def test_goods_are_matched_to_lines(ordered, wanted, expected):
    assert found(ordered, wanted) == expected


def test_matching_of_large_orders_ends():
    """Five hundred lines of one title, packed by title and by sku."""
    ordered = [Product(sku=f"s{n}", title="Same", quantity=1) for n in range(500)]
    by_sku = [Product(sku=f"s{n}", title="Same") for n in range(0, 500, 2)]
    wanted = [Product(title="same", quantity=250), *by_sku]

    assert all(each.left == 0 for each in match(ordered, wanted))


NAMES = st.sampled_from([None, "a", "b"])
COUNTS = st.integers(1, 2)
PARTS = st.builds(BundledProduct, sku=NAMES, title=NAMES, quantity=COUNTS)
LINES = st.builds(
    Product,
    sku=NAMES,
    variant_id=NAMES,
    title=NAMES,
    quantity=COUNTS,
    bundled_products=st.lists(PARTS, max_size=2).map(tuple),
)
WANTED = st.builds(Product, sku=NAMES, variant_id=NAMES, title=NAMES, quantity=COUNTS)


@settings(max_examples=400)
@given(st.lists(LINES, max_size=3), st.lists(WANTED, max_size=3))
def test_matching_places_all_pieces_wherever_that_is_possible(ordered, wanted):
    matches = match(ordered, wanted)

    assert_possible(ordered, wanted, matches)
    pieces = sum(pieces_of(ordered, each) for each in matches)
    known = [said for said, found in zip(wanted, matches, strict=True) if found.is_known]
    if any(found.left for found in matches if found.is_known):
        assert not everything_fits(ordered, known)
        assert pieces == most_pieces(ordered, known)


def assert_possible(ordered, wanted, matches):
    """No line gives more than it has, and each product has lines that it fits."""
    used = Counter()
    for said, found in zip(wanted, matches, strict=True):
        fitting = nodes_of(ordered, said)
        assert sum(each.quantity for each in found.lines) + found.left == said.quantity
        for each in found.lines:
            assert (each.line, each.part) in fitting
            used += leaves_of(ordered, (each.line, each.part), each.quantity)
    assert used <= capacity_of(ordered)


def nodes_of(ordered, said):
    for name in IDENTIFIERS:
        value = identity(name, getattr(said, name))
        fitting = [
            node
            for node, product in nodes(ordered)
            if value is not None and identity(name, getattr(product, name)) == value
        ]
        if fitting:
            return fitting
    return []


def nodes(ordered):
    for line, product in enumerate(ordered):
        yield (line, None), product
        for part, inside in enumerate(product.bundled_products):
            yield (line, part), inside


def leaves_of(ordered, node, count):
    """The pieces that a node stands for: a bundle stands for those of its parts."""
    line, part = node
    parts = ordered[line].bundled_products
    if part is not None or not parts:
        return Counter({node: count})
    return Counter({(line, at): each.quantity * count for at, each in enumerate(parts)})


def capacity_of(ordered):
    found = Counter()
    for line, product in enumerate(ordered):
        found += leaves_of(ordered, (line, None), product.quantity)
    return found


def pieces_of(ordered, found):
    return sum(
        leaves_of(ordered, (each.line, each.part), each.quantity).total() for each in found.lines
    )


def assignments(ordered, wanted):
    """Every way to give single pieces a node, or none, within what was ordered."""
    singles = [nodes_of(ordered, said) for said in wanted for _ in range(said.quantity)]
    most = capacity_of(ordered)
    for chosen in every(*([*fitting, None] for fitting in singles)):
        used = Counter()
        for node in chosen:
            used += leaves_of(ordered, node, 1) if node is not None else Counter()
        if used <= most:
            yield chosen, used.total()


def everything_fits(ordered, wanted):
    return any(None not in chosen for chosen, _ in assignments(ordered, wanted))


def most_pieces(ordered, wanted):
    return max(pieces for _, pieces in assignments(ordered, wanted))


@settings(max_examples=300)
@given(st.lists(LINES, max_size=3), st.lists(WANTED, max_size=4), st.randoms())
def test_matching_uses_the_same_lines_for_any_order_of_the_goods(ordered, wanted, rng):
    shuffled = list(wanted)
    rng.shuffle(shuffled)

    assert lines_used(ordered, wanted) == lines_used(ordered, shuffled)


def lines_used(ordered, wanted):
    used = Counter()
    for found in match(ordered, wanted):
        for each in found.lines:
            used[each.line, each.part] += each.quantity
    return used
