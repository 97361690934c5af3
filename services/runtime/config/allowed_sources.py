"""Which sources (`ce_source`) may send commands for which shop.

Kafka authorizes clients by topic only. Which shop a command is about is in the command.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

SOURCE_NOT_ALLOWED = "source_not_allowed"
SOURCE_POINTER = "/headers/ce_source"
EVERY_OTHER_SHOP = "*"
_FORM = 'a JSON object of lists, such as {"demo-shop": ["/shops/demo-shop", "/erp/*"], "*": []}'


@dataclass(frozen=True, slots=True)
class AllowedSources:
    """Patterns of sources by shop. A shop that is not listed has the list of `*`; without `*`, any
    source may send for it.
    """

    by_shop: Mapping[str, tuple[re.Pattern[str], ...]] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> AllowedSources:
        """Read lists from JSON: `*` in a source is any text, `*` as a shop is every other shop.

        Raises:
            ValueError: the text is no such JSON; says what is wrong and shows the form.
        """
        try:
            lists = json.loads(text, object_pairs_hook=_without_repeats)
        except json.JSONDecodeError as error:
            raise ValueError(f"is no JSON ({error}): write {_FORM}") from None
        if not isinstance(lists, dict) or not all(map(_is_list_of_texts, lists.values())):
            raise ValueError(f"must be {_FORM}")
        return cls({shop: tuple(map(_pattern, sources)) for shop, sources in lists.items()})

    def __bool__(self) -> bool:
        return bool(self.by_shop)

    def refusal(self, shop: str, source: str | None) -> str | None:
        """Why a message of `source` about `shop` is refused; None when it is allowed.

        A message without a source is refused for every shop that has a list.
        """
        allowed = self.by_shop.get(shop, self.by_shop.get(EVERY_OTHER_SHOP))
        if allowed is None or (source and any(each.fullmatch(source) for each in allowed)):
            return None
        if not source:
            return f"shop {shop} has a list of allowed sources: send the header ce_source"
        return (
            f"{source} may not send for shop {shop}: correct ce_source, or have its operators add "
            "it to ORDERFLOW_ALLOWED_SOURCES"
        )


ANY_SOURCE = AllowedSources()
"""No lists: any source may send for any shop."""


def _without_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("names a shop twice: keep one list for each")
    return found


def _is_list_of_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) and each for each in value)


def _pattern(source: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, source.split("*"))), re.DOTALL)
