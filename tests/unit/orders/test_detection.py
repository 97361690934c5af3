"""Detection: which carriers a tracking number may belong to, and why.

Numbers are those of public documentation and of public test data, or have such a form with a check
digit that was computed by the documented rule.
"""

import csv
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.enums import CARRIERS
from services.orders.messages.detection.candidate import CarrierCandidate
from services.orders.messages.detection.detect import CANDIDATES_MAX, candidates_of, findings_of
from services.orders.messages.detection.forms import CONFIDENCES, FOLDER, all_forms

OUTSIDE_THE_CONTRACT = {"laposte", "canadapost", "landmark"}
"""Keys of carriers that have numbers of their own and are not among the 31."""


def found(number, country=None):
    """The candidates as `carrier/confidence`, in order."""
    return [f"{c.carrier_reference}/{c.confidence}" for c in candidates_of(number, country)]


OWN_FORMS = [
    ("1Z999AA10123456784", "ups"),
    ("1Z5R89390357567127", "ups"),
    ("00340434161094015902", "dhl"),
    ("00340433836442636597", "dhl"),
    ("00340435061352161527", "dhl"),
    ("340434161094015902", "dhl"),
    ("JJD1410302937991", "dhl"),
    ("JJD148225763903201100", "dhl"),
    ("09447104918387D", "dpd"),
    ("01196812014637L", "dpd"),
    ("008182709980000020033350276C", "dpd"),
    ("9400111206206406260787", "usps"),
    ("9405803699300124287899", "usps"),
    ("9205590164917312751089", "usps"),
    ("420787459400111206206406260787", "usps"),
    ("4207874599999400111206206406260787", "usps"),
    ("9611020987654312345672", "fedex"),
    ("1001921334250001000300779017972697", "fedex"),
    ("9622001900000000000000776632517510", "fedex"),
    ("TBA502887274000", "amz"),
    ("TBM502887274000", "amz"),
    ("H1000730456781290345", "hrs"),
    ("323212345659900040669030", "bpost"),
    ("370722152135687874", "bring"),
    ("00373500489530470000", "postnord"),
    ("00057151273606671265", "dao"),
    ("57151273606671265", "dao"),
    ("JJFI65432100000123456", "posti"),
    ("LTN74207623N1", "landmark"),
    ("LTN408798880N1", "landmark"),
    ("88000019255788Y", "laposte"),
    ("861011301731382", "laposte"),
]


@pytest.mark.parametrize(("number", "carrier"), OWN_FORMS)
def test_number_of_one_carrier_has_it_first_with_high_confidence(number, carrier):
    assert found(number)[0] == f"{carrier}/high"


S10 = [
    ("RB123456785GB", "royalmail"),
    ("MZ465962009GB", "royalmail"),
    ("RR473124829IE", "anpost"),
    ("RR473124829FI", "posti"),
    ("RR473124829CH", "swisspost"),
    ("RR473124829DE", "depost"),
    ("CC473124829DE", "dhl"),
    ("LE223553042BE", "bpost"),
    ("EW112720413FR", "laposte"),
    ("RB123456785US", "usps"),
    ("RR473124829AT", "postat"),
    ("RR473124829SE", "postnord"),
    ("RR473124829DK", "postnord"),
    ("RR473124829NO", "bring"),
    ("LA681049820NL", "postnl_inter"),
    ("RR473124829CA", "canadapost"),
]


@pytest.mark.parametrize(("number", "carrier"), S10)
def test_postal_number_is_of_the_office_that_issued_it(number, carrier):
    assert found(number) == [f"{carrier}/high"]


@pytest.mark.parametrize("number", ["RB123456785CV", "CL105844885JP", "RB123456785XX"])
def test_postal_number_of_another_country_has_no_candidate(number):
    assert found(number) == []


SHARED_FORMS = [
    ("201298452277", "DE", "dhl/medium"),
    ("841225178292", "DE", "gls/medium"),
    ("123416227171", "AT", "gls/medium"),
    ("986578788855", "US", "fedex/medium"),
    ("041441760228964", "US", "fedex/medium"),
    ("000123450000000027", "US", "fedex/medium"),
    ("61299998820821171811", "US", "fedex/medium"),
    ("03071790000523483741", "US", "usps/medium"),
    ("3318810025", None, "dhlexp/medium"),
    ("8487135506", "DE", "dhlexp/medium"),
    ("JD014600003828392837", None, "dhlexp/medium"),
    ("09133131530724", "DE", "hrs/medium"),
    ("02180171003654", "DE", "hrs/medium"),
    ("01015026003653", "DE", "dpd/medium"),
    ("01015026003653", "GB", "dpduk/medium"),
    ("01015026003653", "NL", "dpdn/medium"),
    ("01015026003653", "ES", "gls/medium"),
    ("50318247605", "DE", "gls/medium"),
    ("XHAX4HDA", "DE", "gls/medium"),
    ("ZJXOMRG5", "DE", "gls/medium"),
    ("ZR1LAB5T", "AT", "gls/medium"),
    ("2140012345", "HU", "gls/medium"),
    ("61771000012345", "ES", "gls_es/medium"),
    ("3SABCD1736524", "NL", "postnl_inter/medium"),
    ("2010505799436494", "CA", "canadapost/medium"),
    ("7035114477138472", None, "canadapost/medium"),
    ("994712046500182736", "CH", "swisspost/medium"),
    ("1000473920174659283012", "AT", "postat/medium"),
    ("84971563697SE", "SE", "postnord/medium"),
    ("00573132901903503247", "DK", "postnord/medium"),
    ("70722152135231588", "NO", "bring/medium"),
    ("GM2951173225174494", None, "dhl/medium"),
    ("K1506235620", None, "ups/medium"),
    ("JJD0002257639032011", "DE", "dhl/medium"),
    ("JVGL09483726151", "NL", "dhl/medium"),
    ("6A12345670824", "FR", "laposte/medium"),
]


LICENCE_PLATE = "JJD000225763903201100"


@pytest.mark.parametrize(("number", "country", "candidate"), SHARED_FORMS)
def test_number_of_a_shared_form_has_the_carrier_among_its_candidates(number, country, candidate):
    assert candidate in found(number, country)
    assert not any(each.endswith("/high") for each in found(number, country))


def test_licence_plate_of_jjd00_is_of_either_dhl():
    assert found(LICENCE_PLATE, "DE") == ["dhl/high", "dhlexp/medium"]


def test_country_of_the_destination_is_evidence():
    assert found("01015026003653", "DE")[:2] == ["dpd/medium", "gls/medium"]
    assert found("01015026003653", "GB") == ["dpduk/medium"]
    assert found("01015026003653", "US") == []
    assert found("01015026003653") == ["dpd/low", "dpdn/low", "dpduk/low", "gls/low", "gls_es/low"]


def test_right_check_digit_stands_before_a_form_without_one():
    assert found("09133131530724", "DE") == ["hrs/medium", "dpd/medium", "gls/medium"]


def test_candidate_says_form_check_digit_service_and_country():
    assert candidates_of("1z 999-AA1 01 2345 6784", "de") == (
        CarrierCandidate(
            "ups",
            "high",
            ("has the form UPS 1Z", "check digit 4 is right", "service type 01 is known"),
        ),
    )
    assert candidates_of("RB123456785GB", None)[0].evidence == (
        "has the form UPU S10, issued by GB",
        "check digit 5 is right",
        "service type RB is known: registered letters",
    )
    assert "such numbers are delivered in DE" in candidates_of("201298452277", "DE")[0].evidence


def with_another_digit(number, at):
    return number[:at] + str((int(number[at]) + 1) % 10) + number[at + 1 :]


NEAR_MISSES = [
    ("1Z999AA10123456784", 12, "ups"),
    ("00340434161094015902", 12, "dhl"),
    ("RB123456785GB", 5, "royalmail"),
    ("9611020987654312345672", 15, "fedex"),
    ("370722152135687874", 12, "bring"),
    ("09447104918387D", 6, "dpd"),
]


@pytest.mark.parametrize(("number", "at", "carrier"), NEAR_MISSES)
def test_one_wrong_digit_of_a_carriers_own_form_is_named(number, at, carrier):
    wrong = with_another_digit(number, at)

    (candidate,) = [c for c in candidates_of(wrong, None) if c.carrier_reference == carrier]

    assert candidate.confidence == "low"
    assert any("is wrong" in each for each in candidate.evidence)


@pytest.mark.parametrize(
    ("number", "carrier"),
    [
        ("201298452277", "dhl"),
        ("841225178292", "gls"),
        ("986578788855", "fedex"),
        ("041441760228964", "fedex"),
        ("3318810025", "dhlexp"),
        ("09133131530724", "hrs"),
        ("2010505799436494", "canadapost"),
        ("70722152135231588", "bring"),
        ("6A12345670824", "laposte"),
    ],
)
def test_one_wrong_digit_of_a_shared_form_rules_the_carrier_out(number, carrier):
    assert f"{carrier}/medium" in found(number)
    wrong = with_another_digit(number, 5)

    assert carrier not in [c.carrier_reference for c in candidates_of(wrong, None)]


@pytest.mark.parametrize(
    "number",
    [
        "",
        "n/a",
        "none",
        "0",
        "1001",
        "DEMO1001",
        "ORDER-2026",
        "tracking",
        "TRACKING NUMBER FOLLOWS",
        "000000000000",
        "99999999999999",
        "11111111111",
        "123456789012",
        "1234567890",
        "1Z9999999999999999",
        "TBA000000000000",
        "https://carrier.example/t/1Z999AA10123456784",
        "e481f51cbdc54678b7cc49136f2d6af7",
        "53cdb2fc8bc7dce0b6741e2150273451",
        "包裹号码一二三四五六",
        "1Z" + "9A" * 300,
    ],
)
def test_placeholder_or_reference_of_a_shop_has_no_candidate(number):
    assert found(number, "DE") == []


COUNTRIES = st.one_of(st.none(), st.sampled_from(["DE", "US", "gb", "??", ""]))
LIKE_NUMBERS = st.one_of(
    *(st.from_regex(form.pattern, fullmatch=True) for form in all_forms()),
    st.text("0123456789", min_size=8, max_size=40),
    st.text(),
)


@given(LIKE_NUMBERS, COUNTRIES)
def test_any_text_has_few_candidates_in_order_and_each_with_evidence(number, country):
    candidates = candidates_of(number, country)

    places = [CONFIDENCES.index(each.confidence) for each in candidates]
    assert places == sorted(places)
    assert len(candidates) <= CANDIDATES_MAX
    assert len({each.carrier_reference for each in candidates}) == len(candidates)
    assert all(0 < len(each.evidence) <= 5 for each in candidates)
    assert all(len(text) < 120 for each in candidates for text in each.evidence)
    # The second answer is that of the cache, the first one was computed.
    assert candidates == candidates_of(number, country)
    assert candidates == tuple(each.candidate for each in findings_of(number, country))


@given(LIKE_NUMBERS, st.sampled_from(["DE", "US", "GB", "NL"]))
def test_country_never_makes_a_candidate_certain(number, country):
    certain = {c.carrier_reference for c in candidates_of(number, None) if c.confidence == "high"}

    for each in candidates_of(number, country):
        assert each.confidence != "high" or each.carrier_reference in certain


def test_forms_are_of_known_carriers_and_name_their_source():
    known = {*CARRIERS, *OUTSIDE_THE_CONTRACT}

    assert {form.carrier for form in all_forms()} <= known
    assert all(form.source for form in all_forms())


def test_each_row_of_the_files_has_a_number_in_this_table():
    numbers = [LICENCE_PLATE, *(number for number, *_ in (*OWN_FORMS, *S10, *SHARED_FORMS))]

    without = [f for f in all_forms() if not any(f.pattern.fullmatch(n) for n in numbers)]

    assert [form.name for form in without] == []
    rows = csv.DictReader((FOLDER / "forms.csv").read_text("utf-8").splitlines())
    assert len(list(rows)) > 50


def test_forms_are_not_imported_until_a_number_needs_them():
    program = (
        "import sys; from services.orders.messages import snapshot; "
        "sys.exit('stdnum' in sys.modules or 'tracking_numbers' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
