"""The report of campaigns: figures of a fixed set of events, and its formats."""

import csv
import io
from decimal import Decimal

import orjson
import pytest
from PIL import Image
from pyarrow import parquet
from typer.testing import CliRunner

from orderflow.main import app
from tests.integration.analytics.batches import apply
from tests.unit.analytics.builders import a_sale, an_activity, an_order_event

HEAD = (
    "shop,campaign_id,impressions,clicks,click_percent,orders,repurchases,"
    "revenue_chf,discount_chf,repurchase_revenue_chf,"
    "revenue_eur,discount_eur,repurchase_revenue_eur"
)


def the_sales():
    """Six orders: two of spring, one of winter, two of none, one of another shop; one cancelled.

    | order | campaign         | pays      | of it discount | placed on |
    | 1     | spring           | 29.90 EUR | 5.00           | 1 March   |
    | 2     | spring           | 0.01 CHF  |                | 2 March   |
    | 3     | winter, then none| 10.00 EUR |                | 1 March   |
    | 4     | none             | 7.00 EUR  | 1.50           | 1 March   |
    | 5     | winter           | cancelled |                | 1 March   |
    | 6     | spring, of other | 1.00 EUR  |                | 1 March   |
    """
    tested = {"shown": "spring", "test": "spring-test"}
    later = {"placed_at": "2026-03-02T09:30:00Z"}
    came = {"discount": "5.00", "session": "session-1"}
    yield an_order_event("1", **a_sale("spring", "29.90", **came))
    yield an_order_event("2", **a_sale("spring", "0.01", currency="CHF", **tested), **later)
    yield an_order_event("3", 1, **a_sale("winter", "10.00"))
    yield an_order_event("3", 2, **a_sale(None, "10.00"))
    yield an_order_event("4", **a_sale(None, "7.00", discount="1.50", test="spring-test"))
    yield an_order_event("5", 1, **a_sale("winter", "99.00"))
    gone = {"status": "cancelled", "cancelled_at": "2026-03-02T00:00:00Z"}
    yield an_order_event("5", 2, **a_sale(None, "99.00"), **gone)
    yield an_order_event("6", shop="other-shop", **a_sale("spring", "1.00"))


def the_pages():
    """One visit on the page of order 4, which is held out of a test, and another one of order 2."""
    yield an_activity("4", activity_id="a", session_id="session-1")
    yield an_activity("2", activity_id="b", session_id="session-2")
    yield an_activity("2", activity_id="c", session_id="session-2", kind="click")


@pytest.fixture
async def applied(connection, batches, database_url, monkeypatch):
    """The events, applied."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    await apply(connection, batches, *the_sales(), *the_pages())


@pytest.fixture
def report(applied):
    """Runs the command on this test's database."""

    def invoke(*arguments, name="campaigns"):
        result = CliRunner().invoke(app, ["report", name, *map(str, arguments)])
        assert result.exit_code == 0, result.output
        return result.stdout

    return invoke


# The command has a loop of its own, so these tests have none.
def test_campaign_report_as_csv_is_exact_by_currency(report):
    assert report("--format", "csv").splitlines() == [
        HEAD,
        "demo-shop,,0,0,,2,0,,,,17.00,1.50,",
        "demo-shop,spring,2,1,50.00,2,1,0.01,0.00,,29.90,5.00,29.90",
        "other-shop,spring,0,0,,1,0,,,,1.00,0.00,",
    ]


def test_campaign_report_is_limited_by_shop_and_days(report):
    text = report("--shop", "demo-shop", "--until", "2026-03-01", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(text)))

    assert [(row["campaign_id"], row["orders"]) for row in rows] == [("", "2"), ("spring", "1")]
    assert Decimal(rows[1]["revenue_eur"]) == Decimal("29.90")


def test_campaign_report_as_json_and_table_has_the_same_rows(report):
    rows = [orjson.loads(line) for line in report("--json").splitlines()]
    table = report()

    assert [(row["campaign_id"], row["revenue_eur"]) for row in rows] == [
        (None, "17.00"),
        ("spring", "29.90"),
        ("spring", "1.00"),
    ]
    assert "(none)" in table
    assert ["demo-shop", "spring", "EUR", "29.90"] in [
        row.split()[:4] for row in table.splitlines()
    ]


def test_report_of_tests_compares_the_arms_with_the_hold_out(report):
    rows = list(csv.DictReader(io.StringIO(report("--format", "csv", name="tests"))))

    assert [tuple(row.values()) for row in rows] == [
        ("demo-shop", "spring-test", "", "1", "1", "100.00", "", ""),
        ("demo-shop", "spring-test", "spring", "1", "0", "0.00", "-100.00", "12.21"),
    ]
    assert "(held out)" in report(name="tests")


def test_campaign_report_as_parquet_reads_back_exact(report, tmp_path):
    file = tmp_path / "campaigns.parquet"
    report("--out", file)

    table = parquet.read_table(file)

    assert table.column("campaign_id").to_pylist() == [None, "spring", "spring"]
    assert table.column("revenue_chf").to_pylist() == [None, Decimal("0.0100"), None]


@pytest.mark.parametrize("name", ["campaigns", "tests"])
def test_reports_of_campaigns_and_tests_draw_pictures(report, name, tmp_path):
    report("--plot", tmp_path / "a.png", name=name)
    report("--plot", tmp_path / "a.svg", name=name)

    with Image.open(tmp_path / "a.png") as picture:
        assert picture.width >= 1000
    assert "<svg" in (tmp_path / "a.svg").read_text("utf-8")


def test_plot_of_a_report_refuses_other_endings(applied):
    result = CliRunner().invoke(app, ["report", "tests", "--plot", "arms.pdf"])

    assert result.exit_code == 2
    assert ".png or .svg" in result.output


def test_campaign_report_of_an_unknown_shop_names_it(applied):
    result = CliRunner().invoke(app, ["report", "campaigns", "--shop", "[/x]"])

    assert result.exit_code == 1
    assert "nothing of the shop '[/x]'" in result.output


def test_report_refuses_options_before_the_name_of_another_report():
    result = CliRunner().invoke(app, ["report", "--shop", "demo-shop", "campaigns"])

    assert result.exit_code == 2
    assert "after `campaigns`" in result.output
