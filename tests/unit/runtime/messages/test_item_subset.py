"""The header that names the items for which a message is sent again."""

import pytest

from services.runtime.messages.item_subset import ITEMS_HEADER, items_header, only_items
from services.runtime.messages.json_codec import Malformed


@pytest.mark.parametrize(
    ("indexes", "written"),
    [
        ({0}, b"0"),
        ({3, 1, 2}, b"1-3"),
        ({0, 1, 4, 6, 7}, b"0-1,4,6-7"),
        (range(1000), b"0-999"),
    ],
)
def test_item_subset_indexes_are_written_as_runs_and_read_back(indexes, written):
    assert items_header(indexes) == (ITEMS_HEADER, written)
    assert set(only_items([(ITEMS_HEADER, written)], 1000)) == set(indexes)


def test_item_subset_header_of_many_runs_is_short():
    _, written = items_header(range(0, 1000, 2))

    assert len(written) < 2048


def test_item_subset_without_the_header_is_all_items():
    assert list(only_items([("ce_id", b"c-1")], 3)) == [0, 1, 2]


@pytest.mark.parametrize("text", [b"", b"x", b"1,", b"-1", b"3", b"2-1", b"0-3", b"\xff", b"9" * 9])
def test_item_subset_that_names_no_item_is_malformed(text):
    with pytest.raises(Malformed) as refused:
        only_items([(ITEMS_HEADER, text)], 3)

    assert refused.value.errors[0].pointer == f"/headers/{ITEMS_HEADER}"
