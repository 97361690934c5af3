"""`orderflow report campaigns`: what campaigns were credited with."""

from orderflow.console.environment import load_settings
from orderflow.console.terminal import CommandError, Json, run
from orderflow.reporting.campaigns import sheet_of, to_tables
from orderflow.reporting.options import FirstDay, FormatName, LastDay, OutFile, ShopName, days_of
from orderflow.reporting.output import format_of, write
from orderflow.reporting.reading import read
from services.analytics.operations.campaign_report import (
    CampaignQuery,
    CampaignReport,
    read_campaigns,
)
from services.runtime.postgres.connections import Connection


def campaigns(
    *,
    shop: ShopName = None,
    first_day: FirstDay = None,
    last_day: LastDay = None,
    form: FormatName = None,
    file: OutFile = None,
    json: Json = False,
) -> None:
    """Report orders, revenue and discounts by campaign.

    An order counts for the campaign that is credited with it, on the day it was placed by the
    destination's calendar; cancelled orders count for nothing. Money is exact and never converted.
    The row without a campaign holds the orders that no campaign is credited with, so that the rows
    add up to all orders.

    Example: `orderflow report campaigns --shop demo-shop --from 2026-03-01 --out march.csv`
    """
    chosen = format_of(form, file, json=json)
    query = CampaignQuery(shop, *days_of(first_day, last_day))
    found = run(_read(query))
    if shop is not None and not found.rows:
        raise CommandError(
            f"nothing of the shop {shop!r} in these days: see its slug, --from and --to; "
            "`orderflow report campaigns` without --shop counts all shops"
        )
    write(sheet_of(found), to_tables(found), chosen, file)


async def _read(query: CampaignQuery) -> CampaignReport:
    async def reading(connection: Connection) -> CampaignReport:
        return await read_campaigns(connection, query)

    return await read(load_settings(), reading)
