"""The order that an operator names on the command line: SHOP/NUMBER."""

from __future__ import annotations

from orderflow.console.terminal import WrongArgument


def parse_order(text: str | None) -> tuple[str, str] | None:
    """Shop and order number of the text SHOP/NUMBER; None for None.

    Raises:
        WrongArgument: the text has not this form.
    """
    if text is None:
        return None
    shop, slash, number = text.partition("/")
    if not (shop and slash and number):
        raise WrongArgument(f"{text!r} names no order: write SHOP/NUMBER, as in demo-shop/1001")
    return shop, number
