"""Matching of goods to the lines of an order: a maximum matching with quantities.

What is said of goods (the contents of parcels, the goods of claims) names products. Each product
may fit several lines; a bundle also fits as a whole or as its parts, which share their pieces. If
the pieces can all be given to lines, they are; else as many as possible, a bundle counted as its
parts. The result depends on which goods there are, not on the order in which they came.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from itertools import product as product_of
from typing import TypeAlias
from unicodedata import normalize

from services.orders.domain.model.goods import PackedLine
from services.orders.domain.model.order import BundledProduct, Product
from services.orders.domain.value import Value

IDENTIFIERS = ("line_id", "variant_id", "sku", "title")
"""What goods are matched by: the first of them that an order line shares."""

Node: TypeAlias = tuple[int, int]
"""Position of an order line, and of a part of its bundle; `_WHOLE` for the line itself."""
_WHOLE = -1
_PLANS_MAX = 64
"""How many ways to split goods between whole bundles and others are tried; mostly there is one."""
_BUNDLES_MAX = 3
"""Up to how many bundles that fit one product every split between them is tried."""
_PREFERENCES_MAX = 32
"""Up to how many lines that fit are ordered by how well they fit."""


class Match(Value, frozen=True, kw_only=True):
    """The lines that one of the wanted products was matched to."""

    lines: tuple[PackedLine, ...]
    left: int
    """How many pieces of the product have no line."""
    is_known: bool
    """Whether the order has a line for the product at all."""


def match(ordered: Sequence[Product], wanted: Sequence[Product]) -> tuple[Match, ...]:
    """Match goods to order lines; the result has a match for each of the wanted products.

    Where products compete for a line, the earlier one in `wanted` has it.
    """
    stock = _Stock.of(ordered)
    asks = [tuple(_asks(stock, product)) for product in wanted]
    demands: dict[tuple[Node, ...], _Demand] = {}
    for ask in (ask for found in asks for ask in found if ask.nodes):
        demands.setdefault(ask.nodes, _Demand(ask.nodes)).quantity += ask.quantity
    _assign(stock, sorted(demands.values(), key=_narrowest))
    return tuple(_match(found, demands) for found in asks)


def identity(name: str, value: str | None) -> str | None:
    """An identifier as it is compared: titles without regard to case and spaces."""
    if not value:
        return None
    text = normalize("NFC", value)
    return " ".join(text.split()).casefold() if name == "title" else text


@dataclass(slots=True)
class _Stock:
    """The ordered pieces: how many each node has, and which nodes an identifier names."""

    capacity: dict[Node, int]
    """Of lines that are no bundle, and of the parts of bundles."""
    bundles: dict[int, tuple[int, tuple[int, ...]]]
    """Of each bundle line: its quantity, and the quantity of each part in one bundle."""
    named: dict[tuple[str, str], list[Node]]
    products: dict[Node, BundledProduct]

    @classmethod
    def of(cls, ordered: Sequence[Product]) -> _Stock:
        stock = cls({}, {}, {}, {})
        for line, product in enumerate(ordered):
            stock._enter((line, _WHOLE), product)
            if not product.bundled_products:
                stock.capacity[line, _WHOLE] = product.quantity
                continue
            parts = tuple(part.quantity for part in product.bundled_products)
            stock.bundles[line] = (product.quantity, parts)
            for place, part in enumerate(product.bundled_products):
                stock._enter((line, place), part)
                stock.capacity[line, place] = part.quantity * product.quantity
        return stock

    def _enter(self, node: Node, product: BundledProduct) -> None:
        self.products[node] = product
        for name in IDENTIFIERS:
            said = identity(name, getattr(product, name))
            if said is not None:
                self.named.setdefault((name, said), []).append(node)

    def find(self, product: BundledProduct) -> tuple[Node, ...]:
        """The nodes that a product fits, the best fit first."""
        for at, name in enumerate(IDENTIFIERS):
            said = identity(name, getattr(product, name))
            found = self.named.get((name, said), ()) if said is not None else ()
            if not found:
                continue
            if 1 < len(found) <= _PREFERENCES_MAX:
                others = [
                    (other, said)
                    for other in IDENTIFIERS[at + 1 :]
                    if (said := identity(other, getattr(product, other))) is not None
                ]
                return tuple(sorted(found, key=lambda node: -self._shared(node, others)))
            return tuple(found)
        return ()

    def _shared(self, node: Node, others: Sequence[tuple[str, str]]) -> int:
        product = self.products[node]
        return sum(identity(name, getattr(product, name)) == said for name, said in others)

    def is_bundle(self, node: Node) -> bool:
        """Whether the node is a bundle as a whole."""
        return node[1] == _WHOLE and node[0] in self.bundles


@dataclass(frozen=True, slots=True)
class _Ask:
    """Pieces of a product, or of a part of a bundle that the order does not have as a bundle."""

    nodes: tuple[Node, ...]
    quantity: int
    per_product: int = 1


def _asks(stock: _Stock, product: Product) -> Iterator[_Ask]:
    quantity = max(0, product.quantity)
    nodes = stock.find(product)
    if nodes or not product.bundled_products:
        yield _Ask(nodes, quantity)
        return
    for part in product.bundled_products:
        if part.quantity > 0:
            yield _Ask(stock.find(part), quantity * part.quantity, part.quantity)


@dataclass(slots=True)
class _Demand:
    """All pieces that fit the same nodes, and the nodes that they have."""

    nodes: tuple[Node, ...]
    quantity: int = 0
    taken: dict[Node, int] = field(default_factory=dict)

    @property
    def left(self) -> int:
        """Pieces without a node."""
        return self.quantity - sum(self.taken.values())


def _narrowest(demand: _Demand) -> tuple[int, tuple[Node, ...]]:
    return len(demand.nodes), demand.nodes


def _assign(stock: _Stock, demands: Sequence[_Demand]) -> None:
    """Give each demand its nodes, by the best of the plans for whole bundles."""
    best: tuple[bool, int, int] | None = None
    kept: list[dict[Node, int]] = []
    for plan in _plans(stock, demands):
        for demand in demands:
            demand.taken = plan.get(demand.nodes, {})
        _fill(stock, demands)
        left = sum(demand.left for demand in demands)
        score = (left == 0, _pieces(stock, demands), -left)
        if best is None or score > best:
            best, kept = score, [demand.taken for demand in demands]
        if left == 0:
            break
    for demand, taken in zip(demands, kept, strict=True):
        demand.taken = taken


_Wholes: TypeAlias = dict[tuple[Node, ...], dict[Node, int]]


def _plans(stock: _Stock, demands: Sequence[_Demand]) -> Iterator[_Wholes]:
    """How many whole bundles each demand takes: first as many as possible, then fewer.

    Demands that fit nothing but one bundle come first, as `demands` is sorted.
    """
    fitting = [d for d in demands if any(map(stock.is_bundle, d.nodes))]
    options = [list(islice(_splits(stock, each), _PLANS_MAX)) for each in fitting]
    for chosen in islice(product_of(*options), _PLANS_MAX):
        room = {line: quantity for line, (quantity, _) in stock.bundles.items()}
        plan: _Wholes = {}
        for demand, split in zip(fitting, chosen, strict=True):
            plan[demand.nodes] = taken = {}
            for node, wanted in split.items():
                if count := min(wanted, room[node[0]]):
                    taken[node] = count
                    room[node[0]] -= count
        yield plan


def _splits(stock: _Stock, demand: _Demand) -> Iterator[dict[Node, int]]:
    """Ways to split a demand: pieces for each bundle that it fits, the others for other nodes."""
    bundles = [node for node in demand.nodes if stock.is_bundle(node)]
    quantity = demand.quantity
    if len(demand.nodes) == 1 or len(bundles) > _BUNDLES_MAX:
        yield _greedy(stock, bundles, quantity)
        return
    ranges = [range(min(quantity, stock.bundles[line][0]), -1, -1) for line, _ in bundles]
    yield _greedy(stock, bundles, quantity)
    for counts in islice(product_of(*(each[:_PLANS_MAX] for each in ranges)), _PLANS_MAX**2):
        if sum(counts) <= quantity:
            yield dict(zip(bundles, counts, strict=True))


def _greedy(stock: _Stock, bundles: Sequence[Node], quantity: int) -> dict[Node, int]:
    taken = {}
    for node in bundles:
        taken[node] = min(quantity, stock.bundles[node[0]][0])
        quantity -= taken[node]
    return taken


def _fill(stock: _Stock, demands: Sequence[_Demand]) -> None:
    """Add a maximum flow of the pieces that are no whole bundles, in a fixed order."""
    free = dict(stock.capacity)
    for line, (_, parts) in stock.bundles.items():
        wholes = sum(demand.taken.get((line, _WHOLE), 0) for demand in demands)
        for place, per_bundle in enumerate(parts):
            free[line, place] -= wholes * per_bundle
    holders: dict[Node, list[_Demand]] = {}
    for demand in demands:
        left = demand.left
        for node in demand.nodes:
            count = min(left, free.get(node, 0))
            if count > 0:
                _give(demand, node, count, holders)
                free[node] -= count
                left -= count
    closed: set[Node] = set()
    for demand in demands:
        while demand.left and (path := _path(demand, free, holders, closed)):
            _move(path, demand.left, free, holders)


def _give(demand: _Demand, node: Node, count: int, holders: dict[Node, list[_Demand]]) -> None:
    if node not in demand.taken:
        holders.setdefault(node, []).append(demand)
    demand.taken[node] = demand.taken.get(node, 0) + count


_Step: TypeAlias = tuple[_Demand, Node]


def _path(
    start: _Demand,
    free: dict[Node, int],
    holders: dict[Node, list[_Demand]],
    closed: set[Node],
) -> list[_Step]:
    """The shortest way to a free node: each demand moves to a node that the next one leaves.

    Nodes that lead to no free one are added to `closed`: they never will.
    """
    came: dict[int, list[_Step]] = {id(start): []}
    seen: set[Node] = set()
    queue = deque([start])
    while queue:
        demand = queue.popleft()
        for node in demand.nodes:
            if node in seen or node in closed or node not in free:
                continue
            seen.add(node)
            way = [*came[id(demand)], (demand, node)]
            if free[node] > 0:
                return way
            for holder in holders.get(node, ()):
                if id(holder) not in came:
                    came[id(holder)] = way
                    queue.append(holder)
    closed |= seen
    return []


def _move(
    path: Sequence[_Step], wanted: int, free: dict[Node, int], holders: dict[Node, list[_Demand]]
) -> None:
    """Move as many pieces as possible along a path."""
    leaves = [(path[at + 1][0], node) for at, (_, node) in enumerate(path[:-1])]
    count = min([wanted, free[path[-1][1]], *(demand.taken[node] for demand, node in leaves)])
    free[path[-1][1]] -= count
    for demand, node in leaves:
        demand.taken[node] -= count
        if not demand.taken[node]:
            del demand.taken[node]
            holders[node].remove(demand)
    for demand, node in path:
        _give(demand, node, count, holders)


def _pieces(stock: _Stock, demands: Iterable[_Demand]) -> int:
    """How many pieces have a node, a bundle counted as its parts."""
    return sum(
        count * (sum(stock.bundles[node[0]][1]) if stock.is_bundle(node) else 1)
        for demand in demands
        for node, count in demand.taken.items()
    )


def _match(asks: Sequence[_Ask], demands: dict[tuple[Node, ...], _Demand]) -> Match:
    """The match of one product: it takes its pieces out of those of its demands."""
    lines: list[PackedLine] = []
    left = 0
    for ask in asks:
        wanted = ask.quantity
        taken = demands[ask.nodes].taken if ask.nodes else {}
        for node in ask.nodes:
            count = min(wanted, taken.get(node, 0))
            if count:
                part = None if node[1] == _WHOLE else node[1]
                lines.append(PackedLine(line=node[0], part=part, quantity=count))
                taken[node] -= count
                wanted -= count
        left = max(left, -(-wanted // ask.per_product))
    return Match(lines=tuple(lines), left=left, is_known=any(ask.nodes for ask in asks))
