"""API keys: their form, their check once by argon2 and later without, floods, and revocation."""

import asyncio

import pytest

from services.gateway.access import key_ring
from services.gateway.access.key_ring import KeyRing
from services.gateway.access.keys import SHOP, ApiKey, id_of, is_right, make_key
from services.gateway.refusal import Refused
from services.runtime.observability.metrics import Metrics


class Table:
    """The stored keys, and how often they were read."""

    def __init__(self, *made):
        self.rows = {each.id: row_of(each) for each in made}
        self.reads = 0
        self.is_away = False

    async def read(self):
        self.reads += 1
        if self.is_away:
            raise OSError("no database")
        return dict(self.rows)


def row_of(made):
    return ApiKey(made.id, SHOP, "demo-shop", "/shops/demo-shop", made.hash, None)


def ring_of(table, seconds=30.0):
    return KeyRing(table.read, seconds, Metrics())


def checks(ring, result):
    return ring._checks.labels("gateway", result)._value.get()


async def refused(ring, text):
    with pytest.raises(Refused) as found:
        await ring.check(text)
    return found.value.status, found.value.reason


def test_key_has_its_id_in_it_and_is_right_by_its_own_hash_only():
    made, other = make_key(), make_key()

    assert id_of(made.text) == made.id != other.id
    assert made.hash.startswith("$argon2id$")
    assert made.text not in made.hash
    assert is_right(made.text, made.hash)
    assert not is_right(other.text, made.hash)
    assert not is_right(made.text, "no hash")


@pytest.mark.parametrize(
    "text", ["", "ofk_", "x", "ofk_abc_def", "ofk_" + "a" * 12 + "_" + "é" * 43]
)
def test_text_that_is_no_key_has_no_id(text):
    assert id_of(text) is None


async def test_ring_checks_a_key_by_argon2_once():
    made = make_key()
    ring = ring_of(Table(made))

    found = [await ring.check(made.text) for _ in range(5)]

    assert {each.id for each in found} == {made.id}
    assert checks(ring, "right") == 1


async def test_ring_checks_one_key_once_for_requests_at_the_same_time():
    made = make_key()
    ring = ring_of(Table(made))

    answers = await asyncio.gather(*(ring.check(made.text) for _ in range(50)))

    assert len(answers) == 50
    assert checks(ring, "right") == 1


async def test_ring_remembers_a_wrong_key_too():
    made = make_key()
    ring = ring_of(Table(made))
    wrong = made.text[:-1] + ("A" if made.text[-1] != "A" else "B")

    assert [await refused(ring, wrong) for _ in range(3)] == [(401, "wrong_key")] * 3
    assert checks(ring, "wrong") == 1


async def test_ring_refuses_an_unknown_id_without_argon2_and_with_few_reads():
    table = Table(make_key())
    ring = ring_of(table)

    assert {await refused(ring, make_key().text) for _ in range(4)} == {(401, "wrong_key")}
    assert {await refused(ring, text) for text in ("", "ofk_x")} == {(401, "wrong_key")}
    assert checks(ring, "wrong") == 0
    assert table.reads == 1


async def test_ring_finds_a_key_that_was_made_just_now(monkeypatch):
    monkeypatch.setattr(key_ring, "LOOK_AGAIN_SECONDS", 0.0)
    monkeypatch.setattr(key_ring, "READ_SECONDS", 5.0, raising=False)
    table = Table()
    ring = ring_of(table)
    await ring.refresh()
    made = make_key()
    table.rows[made.id] = row_of(made)

    assert (await ring.check(made.text)).id == made.id


async def test_ring_refuses_a_revoked_key_from_the_next_read_on():
    made = make_key()
    table = Table(made)
    ring = ring_of(table)
    await ring.check(made.text)
    del table.rows[made.id]

    assert (await ring.check(made.text)).id == made.id
    await ring.refresh()
    assert await refused(ring, made.text) == (401, "wrong_key")


async def test_ring_uses_no_remembered_check_for_another_hash():
    made, other = make_key(), make_key()
    table = Table(made)
    ring = ring_of(table)
    await ring.check(made.text)
    table.rows[made.id] = ApiKey(made.id, SHOP, "demo-shop", "/s", other.hash, None)
    await ring.refresh()

    assert await refused(ring, made.text) == (401, "wrong_key")


async def test_ring_without_a_database_refuses_for_now_once_its_keys_are_old():
    made = make_key()
    table = Table(made)
    ring = ring_of(table, seconds=0.0)
    table.is_away = True

    assert await refused(ring, made.text) == (503, "keys_unavailable")


async def test_flood_of_wrong_keys_with_one_id_leaves_room_for_others():
    made, other = make_key(), make_key()
    ring = ring_of(Table(made, other))
    guesses = [f"{made.text[:-8]}{number:08}" for number in range(50)]

    flood = [asyncio.ensure_future(refused(ring, guess)) for guess in guesses]
    await asyncio.sleep(0)
    right = await ring.check(other.text)
    answers = await asyncio.gather(*flood)

    assert right.id == other.id
    assert answers.count((429, "too_many_keys")) >= 45
    assert checks(ring, "wrong") <= 5


async def test_flood_does_not_put_off_a_key_that_was_checked_before():
    made = make_key()
    ring = ring_of(Table(made))
    await ring.check(made.text)

    flood = [
        asyncio.ensure_future(refused(ring, f"{made.text[:-8]}{number:08}")) for number in range(50)
    ]
    await asyncio.sleep(0)

    assert (await ring.check(made.text)).id == made.id
    await asyncio.gather(*flood)


async def test_ring_remembers_a_bounded_number_of_checks(monkeypatch):
    monkeypatch.setattr(key_ring, "REMEMBERED", 2)
    made = make_key()
    ring = ring_of(Table(made))

    for number in range(4):
        await refused(ring, f"{made.text[:-8]}{number:08}")

    assert len(ring._checked) == 2
