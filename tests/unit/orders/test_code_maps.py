"""The code maps: every row has a source and a known event name; an unknown code is UNMAPPED."""

import re
from collections import Counter

import pytest

from services.orders.domain.tracking.catalogue import CATALOGUE, UNMAPPED, FlagEffect, Phase
from services.orders.messages.carriers.code_maps import (
    CODE_MAPS,
    FOLDER,
    KEYS,
    REASONS,
    ROWS,
    CodeRow,
    read_rows,
    read_table,
)

FLAGS = {
    FlagEffect.DELAY: "delay",
    FlagEffect.ERROR: "error",
    FlagEffect.LASTING_ERROR: "error",
}
FAMILIES = set(REASONS.values())
KARLA_KEYS = set(
    re.findall(
        r"\w+",
        """
    amz brt depost dhl dhlexp dhl_old dhl2man dpd dpdn dpduk gls gls_es goexp hrs postat rhe
    royalmail swisspost ups bpost dao anpost bring posti postnl_inter usps fedex postnord
    parcelone dachser asendia_de
    """,
    )
)


def named(code_set, said):
    return CODE_MAPS.meaning_of(code_set, None, said).event_name


@pytest.mark.parametrize("name", ROWS)
def test_row_has_a_known_event_name_and_a_source(name):
    assert [row for row in ROWS[name] if row.event_name not in CATALOGUE] == []
    assert [row for row in ROWS[name] if not re.match(r"https?://\S+$", row.source)] == []


@pytest.mark.parametrize("name", ROWS)
def test_row_without_an_event_name_says_why(name):
    unnamed = [row for row in ROWS[name] if row.event_name == UNMAPPED]

    assert [row for row in unnamed if not row.note] == []


@pytest.mark.parametrize("name", ROWS)
def test_source_in_a_repository_is_of_one_commit(name):
    files = {row.source for row in ROWS[name] if re.search(r"github\.com/.*/blob/", row.source)}

    assert [source for source in files if not re.search(r"/blob/[0-9a-f]{40}/", source)] == []


@pytest.mark.parametrize("name", ROWS)
def test_row_has_a_known_reason_and_the_flag_of_its_event(name):
    assert {row.reason for row in ROWS[name]} <= FAMILIES | {""}
    assert [row for row in ROWS[name] if row.flag != flag_of(row)] == []


def flag_of(row: CodeRow) -> str:
    """The flag that a row's event name sets; a row without a name may say any."""
    if row.event_name == UNMAPPED:
        return row.flag
    return FLAGS.get(CATALOGUE[row.event_name].flag, "")


@pytest.mark.parametrize("name", ROWS)
def test_each_row_is_found_by_its_own_codes(name):
    codes = CODE_MAPS.sets[name]
    plain = [row for row in ROWS[name] if "*" not in row.code]

    assert {row.said: row.event_name for row in plain} == {
        row.said: codes.find(row.said).event_name for row in plain
    }
    assert all(codes.find(row.said).row == f"{name}/{row.said}" for row in plain)


@pytest.mark.parametrize("name", ROWS)
def test_unknown_code_is_unmapped(name):
    assert CODE_MAPS.find(name, None, "no such code") is None
    assert named(name, "no such code/no reason/no class") == UNMAPPED


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*/codes.csv")), ids=lambda p: p.parent.name)
def test_file_has_plain_lines(path):
    content = path.read_bytes()

    assert b"\r" not in content
    assert content.endswith(b"\n")


def test_dhl_paket_has_all_338_pairs_and_52_events():
    rows = ROWS["dhl_paket"]

    assert len(rows) == 338
    assert len({row.code for row in rows}) == 52
    assert len({(row.code, row.sub_code) for row in rows}) == 282


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("DLVRD/ACCPT/ZU", "SUCCESSFULLY_DELIVERED"),
        ("DLVRD/NGHBR/ZU", "DELIVERED_TO_NEIGHBOUR"),
        ("DLVRD/ACCPK/ZU", "COLLECTED_BY_CUSTOMER"),
        ("DLVRD/ACCDM/ZU", "DELIVERED_DAMAGED"),
        ("DLVRD/ACCSI/ZU", "DELIVERED_INCOMPLETE"),
        ("DLVRD/CODRP/GT", UNMAPPED),
        ("LDTMV/MVMTV/AA", "DEPARTURE_FROM_TRANSPORT_HUB"),
        ("LDTMV/MVMTV/PO", "OUT_FOR_DELIVERY"),
        ("NTDEL/NHOME/ZN", "RECIPIENT_NOT_HOME"),
        ("HLDCC/LDPCK/LA", "READY_FOR_COLLECTION_AT_LOCKER"),
        ("DSPSD/DMGED/ZU", "DISPOSED"),
        ("RCCLS/LOSTX/ZN", "LOST"),
        ("CNFSC/LEGAT/BV", "CONFISCATED"),
        ("STORN/NRQRD/DD", "SCAN_RETRACTED"),
        ("PARCV/NRQRD/VA", "ELECTRONIC_ADVICE_RECEIVED"),
        ("NTPUP/CLOSD/AN", "CARRIER_PICKUP_FAILED"),
        ("DLVRD/NGHBR", "DELIVERED_TO_NEIGHBOUR"),
        ("LDTMV/MVMTV", UNMAPPED),
    ],
)
def test_dhl_paket_pair_with_its_standard_event(said, name):
    assert named("dhl_paket", said) == name


# Events whose name says more than their class: disposed of, forwarded or sent back, record closed,
# loaded, returned. An attempt (ZN) is in delivery where its reason is none of the addressee.
DHL_PAKET_EVENTS = {"DSPSD", "OFWRD", "RCCLS", "LDTMV", "RETRN"}
DHL_PAKET_CLASSES = {
    "VA": {Phase.ORDER_PROCESSED},
    "AN": {Phase.ORDER_PROCESSED},
    "ES": {Phase.IN_TRANSIT},
    "AE": {Phase.IN_TRANSIT},
    "NB": {Phase.IN_TRANSIT},
    "AA": {Phase.IN_TRANSIT},
    "EE": {Phase.IN_TRANSIT},
    "ZO": {Phase.IN_TRANSIT},
    "PO": {Phase.IN_TRANSIT},
    "ZF": {Phase.COLLECT},
    "LA": {Phase.COLLECT},
    "ZN": {Phase.DELIVERY_FAILED, Phase.IN_DELIVERY, Phase.RETURN_TRANSIT},
    "ZU": {Phase.DELIVERED},
}


@pytest.mark.parametrize("class_", DHL_PAKET_CLASSES)
def test_dhl_paket_row_is_in_the_phase_of_its_class_or_says_why_not(class_):
    rows = [row for row in ROWS["dhl_paket"] if row.code_class == class_]
    others = [
        row for row in rows if CATALOGUE[row.event_name].phase not in DHL_PAKET_CLASSES[class_]
    ]

    assert rows
    assert [row for row in others if row.code not in DHL_PAKET_EVENTS and not row.note] == []


@pytest.mark.parametrize("class_", ["DD", "GT", "VA"])
def test_dhl_paket_row_about_data_or_money_moves_nothing(class_):
    rows = [row for row in ROWS["dhl_paket"] if row.code_class == class_]

    assert rows
    assert [row for row in rows if CATALOGUE[row.event_name].physical] == []


def test_dhl_paket_loaded_on_the_tour_is_out_for_delivery():
    rows = [row for row in ROWS["dhl_paket"] if (row.code, row.code_class) == ("LDTMV", "PO")]

    assert rows
    assert {row.event_name for row in rows} == {"OUT_FOR_DELIVERY"}


@pytest.mark.parametrize(
    ("code_set", "said", "name"),
    [
        ("ups", "no such code//D", "SUCCESSFULLY_DELIVERED"),
        ("ups", "no such code//X", UNMAPPED),
        ("ups", "DP//I", "DEPARTURE_FROM_TRANSPORT_HUB"),
        ("ups", "DP//M", "ELECTRONIC_ADVICE_RECEIVED"),
        ("easypost", "in_transit/lost", "LOST"),
        ("easypost", "in_transit/no such detail", "SORTED"),
        ("dhl_unified", "OK/delivered/express", "SUCCESSFULLY_DELIVERED"),
        ("dhl_unified", "WC/no such group/express", "OUT_FOR_DELIVERY"),
        ("dhl_unified", "no such code/delivered/express", "SUCCESSFULLY_DELIVERED"),
        ("dhl_unified", "no such code/failure/parcel-nl", "DELIVERY_ATTEMPTED"),
        ("dhl_unified", "no such code/unknown/express", UNMAPPED),
        ("dhl_unified", "no such code//express", UNMAPPED),
        ("dhl_paket", "ZU", "SUCCESSFULLY_DELIVERED"),
        ("gls", "DELIVEREDPS", "READY_FOR_COLLECTION_AT_PARCEL_SHOP"),
        ("gls", "DELIVD.PARCELSHOP", "READY_FOR_COLLECTION_AT_PARCEL_SHOP"),
        ("dpd", "ParcelShop", "READY_FOR_COLLECTION_AT_PARCEL_SHOP"),
        ("parcelone", "DELIVERED_PARCELSHOP", "READY_FOR_COLLECTION_AT_PARCEL_SHOP"),
        ("shipengine", "DELIVERED_TO_PICKUP_POINT", "READY_FOR_COLLECTION_AT_PARCEL_SHOP"),
    ],
)
def test_code_falls_back_to_what_is_known_of_it(code_set, said, name):
    assert named(code_set, said) == name


@pytest.mark.parametrize(
    ("key", "said", "row"),
    [
        ("dhl", "DLVRD/NGHBR/ZU", "dhl_paket/DLVRD/NGHBR/ZU"),
        ("royalmail", "EMA", "upu/EMA"),
        ("bpost", "EMI", "upu/EMI"),
        ("usps", "EMA", "upu/EMA"),
        ("ups", "005", "ups_status/005"),
    ],
)
def test_carrier_key_uses_its_sets(key, said, row):
    assert CODE_MAPS.find(key, None, said).row == row


def test_text_of_dhl_stands_for_a_known_code_and_has_a_source():
    columns = ("service", "status_code", "text", "code", "source")
    rows = read_table(FOLDER / "dhl_unified" / "texts.csv", columns)

    assert rows
    for service, _, _, code, source in rows:
        code_set = "dhl" if service == "parcel-de" else "dhl_unified"
        assert CODE_MAPS.find(code_set, code, None) is not None, code
        assert source.startswith("https://")


def test_reasons_are_34_families_and_a_word_has_one():
    assert len(FAMILIES) == 34
    assert REASONS.keys() >= FAMILIES
    assert all(word == word.lower() for word in REASONS)


def test_keys_have_all_31_of_karla_and_known_code_sets():
    used = {each.name for sets in CODE_MAPS.used.values() for each in sets}

    assert len(KARLA_KEYS) == 31
    assert {key.key for key in KEYS} >= KARLA_KEYS
    assert max(Counter(key.key for key in KEYS).values()) == 1
    assert used == set(ROWS), "each code set is used by a key: add a row to keys.csv"
    assert [key for key in KEYS if not key.code_sets and not key.note] == []


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("DLV,,,SUCCESSFULLY_DELIVERED,,,,,", "'DLV' needs a code and a source"),
        (",,,SUCCESSFULLY_DELIVERED,,,,https://acme.example,", "'' needs a code and a source"),
        ("DLV,,,DELIVERD,,,,https://acme.example,", "'DELIVERD' is no event name of ours"),
        (
            "NDL,HOME,,RECIPIENT_NOT_HOME,at_work,,,https://acme.example,",
            "no family at_work",
        ),
        ("DLV,,,SUCCESSFULLY_DELIVERED,,late,,https://acme.example,", "'DLV' needs a flag of"),
        ("DLV,,,SUCCESSFULLY_DELIVERED,,,no,https://acme.example,", "'DLV' needs a flag of"),
    ],
)
def test_row_of_a_code_map_that_is_wrong_is_named_with_its_fault(tmp_path, line, fault):
    path = tmp_path / "codes.csv"
    path.write_text(f"code,sub_code,class,event_name,reason,flag,action,source,note\n{line}\n")

    with pytest.raises(ValueError, match=re.escape(fault)):
        read_rows(path)


def test_row_of_a_code_map_stands_once(tmp_path):
    row = "DLV,,,SUCCESSFULLY_DELIVERED,,,,https://acme.example,\n"
    path = tmp_path / "codes.csv"
    path.write_text(f"code,sub_code,class,event_name,reason,flag,action,source,note\n{row}{row}")

    with pytest.raises(ValueError, match="'DLV' stands twice"):
        read_rows(path)
