"""Goods stay held when their line is renamed, also after the tables were filled again."""

from services.claims.operations.rebuild import empty
from tests.integration.claims.conftest import NOW, a_parcel, an_event, an_opening
from tests.integration.claims.test_rebuilding import a_snapshot


def named(version, sku):
    """The order's event with one line of two mugs, all in its parcel."""
    line = {"line_id": "L1", "variant_id": "V1", "sku": sku, "quantity": 2}
    parcel = a_parcel("1", products=[line], lines=[{"line": 0, **line}])
    return an_event("1", version, parcel, products=[line])


async def test_renamed_line_is_claimed_once(apply, published, pool):
    await apply(named(1, "OLD"), an_opening("1", selected_items=[{"sku": "OLD", "quantity": 1}]))
    first = await published()
    async with pool.acquire() as connection, connection.transaction():
        await empty(connection, NOW)
        await connection.execute("DELETE FROM outbox")
    await apply(a_snapshot("1", 1, first))

    await apply(named(2, "NEW"))
    await apply(an_opening("1", reason="return", selected_items=[]))
    await apply(an_opening("1", reason="investigation", selected_items=[]))

    ((_, second),) = await published()
    ((_, refused),) = await published("claims.rejected")
    names = {"line_id": "L1", "variant_id": "V1"}
    assert [each["event_data"]["held_items"] for each in (first[0][1], second)] == [
        [{"product": "sku/OLD", "quantity": 1, **names}],
        [{"product": "sku/NEW", "quantity": 1, **names}],
    ]
    assert refused["reason"] == "nothing_left_to_claim"
