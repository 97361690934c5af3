"""The campaigns of a made-up shop: what it said on which day, and what must be refused.

Days count from the shop's first. Late commands, corrections with an earlier time, pauses, removals
and a test with a hold-out are there so that what holds at a time differs from what was said last.
"""

from __future__ import annotations

from dataclasses import replace

from demo.campaigns.commands import BookMaker
from demo.campaigns.said import AbTest, Campaign, Discount

VIP = "vip campaigns"
STUDENTS = "student test"
CODES = "codes"
AGAIN = "again"
STRASSE = "Willkommen-Straße"


def say_everything(book: BookMaker) -> None:
    """Write all commands of the shop's book."""
    _newsletter(book)
    _vip(book)
    _firsts(book)
    _defaults(book)
    _student_test(book)
    _discounts(book)
    _learnt_late(book)
    _again(book)
    _mistakes(book)


def _newsletter(book: BookMaker) -> None:
    """Three campaigns one after the other; the second is corrected, the third is said late."""
    day = book.time
    book.upsert(
        0,
        "spring-news",
        Campaign(
            "Spring news",
            "newsletter",
            start=day(1),
            end=day(25),
            priority=10,
            discount_id="spring-20",
        ),
        since=0,
    )
    easter = Campaign(
        "Easter news", "newsletter", start=day(25), end=day(45), priority=10, discount_id="easter-5"
    )
    book.upsert(10, "easter-news", easter, by_updated_at=True)
    book.upsert(35, "easter-news", replace(easter, priority=2, discount_id="easter-9"), since=30)
    book.upsert(50, "late-news", Campaign("Late news", "newsletter", priority=10), since=45)


def _vip(book: BookMaker) -> None:
    """Paused, with effect from earlier; brought back; removed from a later day on; replaced."""
    day = book.time
    gold = Campaign("VIP Gold", "vip", start=day(0), priority=20, discount_id="vip-15")
    book.upsert(0, "vip-gold", gold, group=VIP)
    book.pause(20, "vip-gold", since=18, group=VIP)
    book.upsert(28, "vip-gold", gold, group=VIP)
    book.upsert(
        30,
        "vip-silver",
        Campaign("VIP Silver", "vip", start=day(30), priority=30),
        refused="campaign_overlaps",
        group=VIP,
    )
    book.remove(50, "vip-gold", since=52, group=VIP)
    book.upsert(
        53, "vip-platinum", Campaign("VIP Platinum", "vip", start=day(53), priority=20), group=VIP
    )


def _firsts(book: BookMaker) -> None:
    """As strong as the newsletter's: an earlier start, or a smaller id, decides.

    The second command for `b2b-a` says what the first one said, with effect from later; what is
    said late for the time between must end where the second one begins.
    """
    day = book.time
    book.upsert(
        0.5,
        "first-welcome",
        Campaign(
            "First welcome", "first-order", start=day(0.5), priority=10, discount_id="welcome-10"
        ),
    )
    b2b = Campaign("B2B A", "b2b", start=day(1), priority=10)
    book.upsert(1, "b2b-a", b2b)
    book.upsert(30, "b2b-a", b2b, since=20)
    book.upsert(36, "b2b-a", replace(b2b, priority=12), since=15)


def _defaults(book: BookMaker) -> None:
    """What orders see that no segment fits; none before day 5."""
    day = book.time
    book.upsert(5, "default-all", Campaign("Everyone", start=day(5), end=day(40), priority=1))
    book.upsert(38, "default-late", Campaign("Everyone, later", start=day(40), priority=900))


def _student_test(book: BookMaker) -> None:
    """40 and 40 per cent, 20 held out; shortened while it runs, which a test may be."""
    day = book.time
    for letter in "ab":
        campaign = Campaign(
            f"Student {letter.upper()}",
            "students",
            enabled=False,
            start=day(4),
            priority=15,
            discount_id=f"student-{letter}-5",
        )
        book.upsert(4, f"student-{letter}", campaign, group=STUDENTS)
    shares = (("student-b", 40), ("student-a", 40))
    test = AbTest("Banner or product", "students", shares, start=day(6), end=day(54))
    book.upsert(5, "student-test", test, group=STUDENTS)
    unequal = replace(test, shares=(("student-a", 80), ("student-b", 10)))
    book.upsert(20, "student-test", unequal, refused="ab_test_running", group=STUDENTS)
    book.upsert(44, "student-test", replace(test, end=day(48)), group=STUDENTS)


def _discounts(book: BookMaker) -> None:
    """Codes in odd case; one is disabled later, one is over, one has no campaign."""
    day = book.time
    for id_, code in (
        ("easter-5", "easter5"),
        ("easter-9", "EASTER-9"),
        ("student-a-5", "StudentA"),
        ("student-b-5", "StudentB"),
    ):
        book.upsert(0, id_, Discount(code, start=day(0)))
    book.upsert(0, "spring-20", Discount("SPRING20", start=day(1), end=day(22)), group=CODES)
    vip = Discount("Vip15", start=day(0))
    book.upsert(0, "vip-15", vip)
    book.upsert(41, "vip-15", replace(vip, enabled=False), since=39)
    book.upsert(0, "orphan", Discount("ORPHAN", start=day(0)))


def _learnt_late(book: BookMaker) -> None:
    """Said after orders that name them."""
    book.upsert(15, "welcome-10", Discount(STRASSE), since=0)
    book.upsert(40, "podcast", Campaign("Pod Cast", "listeners", start=book.time(40)))
    book.upsert(24, "influencer", Campaign("Influencer März", "followers"), since=0)


def _again(book: BookMaker) -> None:
    """Said every few days without a start: the start of before stays, except after a removal.

    The two are equally strong, so the earlier start decides; the first is also corrected late.
    """
    hourly = Campaign("Every hour", "regular", priority=10)
    other = Campaign("A rival", "frequent", priority=10, discount_id="again-5")
    for day in range(2, 50, 4):
        book.upsert(day, "z-hourly", hourly, group=AGAIN)
        book.upsert(day + 1, "a-rival", other, group=AGAIN)
        book.upsert(day, "again-5", Discount("AGAIN5"), group=AGAIN)
    book.upsert(33, "z-hourly", replace(hourly, priority=12), since=31, group=AGAIN)
    book.pause(51, "z-hourly", group=AGAIN)
    book.upsert(52, "z-hourly", hourly, group=AGAIN)
    book.remove(53, "a-rival", group=AGAIN)
    book.upsert(54, "a-rival", other, group=AGAIN)


def _mistakes(book: BookMaker) -> None:
    """Each refused, whatever came before it."""
    day = book.time
    book.upsert(
        3,
        "backwards",
        Campaign("Backwards", "vip", start=day(9), end=day(8)),
        refused="ends_before_start",
    )
    book.upsert(
        3, "nothing-off", Discount("NOTHING", start=day(3), end=day(2)), refused="ends_before_start"
    )
    book.upsert(
        7,
        "odd-test",
        AbTest("Odd", "odd", (("student-a", 70), ("student-b", 40))),
        refused="allocations_do_not_sum",
    )
    book.pause(8, "never-said", refused="campaign_not_found")
    book.remove(9, "never-said", refused="campaign_not_found")
    book.upsert(
        12,
        "spring-20",
        Discount("SPRING25", start=day(1)),
        refused="discount_code_fixed",
        group=CODES,
    )
