"""What Hypothesis draws from for the rules of the machine."""

from hypothesis import strategies as st

from tests.integration.pipeline.commands import POISON, REPORT, Command
from tests.integration.pipeline.process import DEATHS, UNANSWERED

COMMAND_PARTITIONS = 3
PARTITIONS = COMMAND_PARTITIONS + 1
"""The last one is of the carriers."""

ORDERS = st.sampled_from("123456")
CITIES = st.sampled_from(["Bonn", "Ulm", "Bonn", "Ulm", POISON])
KINDS = st.sampled_from(["place", "upsert", *["update"] * 4, "cancel", "cancel", "malformed"])
NUMBERS_ATTACHED = st.sampled_from(["attach", "attach_to_delivery", "attach_to_delivery"])
TRACKING_NUMBERS = st.sampled_from(["T100", "T100", "T200", "T300"])
OF_ORDERS = st.builds(Command, KINDS, ORDERS, CITIES)
ATTACHED = st.builds(Command, NUMBERS_ATTACHED, ORDERS, st.just(""), TRACKING_NUMBERS)
CORRECTED = st.builds(Command, st.just("correct"), ORDERS, st.just(""), TRACKING_NUMBERS)
VOIDED = st.builds(Command, st.just("void"), ORDERS, CITIES, TRACKING_NUMBERS)
COMMANDS = st.one_of(OF_ORDERS, OF_ORDERS, ATTACHED, ATTACHED, CORRECTED, VOIDED)
HOURS = st.lists(st.integers(0, 9), min_size=1, max_size=3, unique=True).map(tuple)
REPORTED = st.builds(Command, st.just(REPORT), st.just(""), st.just(""), TRACKING_NUMBERS, HOURS)
"""In place of its scans, the hours at which they happened."""
OF_ONE_SHOP = st.sampled_from("1234")
UPSERTS = st.one_of(
    st.builds(Command, st.just("upsert"), OF_ONE_SHOP, CITIES),
    st.builds(Command, NUMBERS_ATTACHED, OF_ONE_SHOP, st.just(""), TRACKING_NUMBERS),
)
CONTENTS = st.one_of(
    st.tuples(COMMANDS),
    st.tuples(COMMANDS),
    st.tuples(REPORTED),
    st.lists(UPSERTS, min_size=2, max_size=3),
)
MESSAGES = st.lists(CONTENTS, min_size=1, max_size=6)
MANY_MESSAGES = st.lists(CONTENTS, min_size=4, max_size=12)
MOSTLY = st.sampled_from([True, True, True, False])
SELDOM = st.sampled_from([0, 0, 0, 1])

NAMES = st.sampled_from("AB")
OWNERS = st.tuples(*[NAMES] * PARTITIONS)
NUMBERS = st.integers(0, PARTITIONS - 1)
MOST = st.integers(1, 6)
DEADLY = st.sampled_from(DEATHS)
FAULTS = st.sampled_from([None] * 6 + [UNANSWERED, *DEATHS])
TIMES = st.sampled_from([1, 2, 3, 3, 4])

# Any of what there is: taken modulo its number.
CHOICES = st.integers(0, 1_000)
SOME = st.lists(CHOICES, min_size=1, max_size=4)
PLACES = st.tuples(*[CHOICES] * PARTITIONS)
ACTS = st.sampled_from(["retry", "skip", "discard"])
MINUTES = st.integers(1, 20)
"""Mostly few: numbers are silent for so long that they may be used again only in `pass_months`."""
ROWS = st.integers(1, 3)
RECORDS = st.sampled_from([None, None, 0, 1, 2])
