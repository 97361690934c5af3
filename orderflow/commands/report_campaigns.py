"""`orderflow report campaigns` and `tests`: what campaigns showed and brought."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from orderflow.console.environment import load_settings
from orderflow.console.terminal import CommandError, Json, err, run
from orderflow.reporting.campaigns import arm_sheet, arm_tables, campaign_sheet, campaign_tables
from orderflow.reporting.options import (
    FirstDay,
    FormatName,
    LastDay,
    OutFile,
    PictureFile,
    ShopName,
    days_of,
    picture_of,
)
from orderflow.reporting.output import format_of, write
from orderflow.reporting.reading import read
from services.analytics.operations.campaign_report import (
    ArmReport,
    CampaignQuery,
    CampaignReport,
    read_arms,
    read_campaigns,
)
from services.runtime.postgres.connections import Connection

ReportT = TypeVar("ReportT", CampaignReport, ArmReport)


def campaigns(
    *,
    shop: ShopName = None,
    first_day: FirstDay = None,
    last_day: LastDay = None,
    form: FormatName = None,
    file: OutFile = None,
    plot: PictureFile = None,
    json: Json = False,
) -> None:
    """Report impressions, clicks, orders, revenue and discounts by campaign.

    An order counts for the campaign that is credited with it, on the day it was placed by the
    destination's calendar; cancelled orders count for nothing. Money is exact and never converted.
    The row without a campaign holds the orders that no campaign is credited with, so that the rows
    add up to all orders. Impressions and clicks count on their day in UTC, without those of bots. A
    repurchase is an order from a visit in which another order's page was opened.

    Example: `orderflow report campaigns --shop demo-shop --from 2026-03-01 --out march.csv`
    """
    chosen, picture = format_of(form, file, json=json), picture_of(plot)
    found = _read(read_campaigns, CampaignQuery(shop, *days_of(first_day, last_day)))
    write(campaign_sheet(found), campaign_tables(found), chosen, file)
    if picture:
        # Drawing is imported late: it takes longer to load than all the rest.
        from orderflow.reporting.campaign_plots import draw_campaigns

        _draw(draw_campaigns, found, picture)


def ab_tests(
    *,
    shop: ShopName = None,
    first_day: FirstDay = None,
    last_day: LastDay = None,
    form: FormatName = None,
    file: OutFile = None,
    plot: PictureFile = None,
    json: Json = False,
) -> None:
    """Report the arms of AB tests: which share of the visits bought, against the hold-out.

    A visit counts for an arm if the page of one of the arm's orders was opened in it, and bought if
    it led to another order that is not cancelled. The difference from the hold-out is given in
    points of a percentage, as an interval with a confidence of 95 % (Newcombe). Days are those in
    UTC on which the page was first opened in the visit.

    Example: `orderflow report tests --shop demo-shop --plot arms.svg`
    """
    chosen, picture = format_of(form, file, json=json), picture_of(plot)
    found = _read(read_arms, CampaignQuery(shop, *days_of(first_day, last_day)))
    write(arm_sheet(found), arm_tables(found), chosen, file)
    if picture:
        from orderflow.reporting.campaign_plots import draw_arms

        _draw(draw_arms, found, picture)


def _draw(draw: Callable[[ReportT, Path], None], found: ReportT, picture: Path) -> None:
    try:
        draw(found, picture)
    except OSError as error:
        raise CommandError(f"cannot write {picture}: {error.strerror}") from None
    err.print(f"picture: {picture}", markup=False)


def _read(
    reading: Callable[[Connection, CampaignQuery], Awaitable[ReportT]], query: CampaignQuery
) -> ReportT:
    found = run(read(load_settings(), lambda connection: reading(connection, query)))
    if query.shop is not None and not found.rows:
        raise CommandError(
            f"nothing of the shop {query.shop!r} in these days: see its slug, --from and --to; "
            "without --shop all shops are reported"
        )
    return found
