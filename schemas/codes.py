"""Codes of countries (ISO 3166-1) and currencies (ISO 4217), and the names of countries."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping
from functools import cache
from pathlib import Path

_NAMES_FILE = Path(__file__).with_name("country_names.json")
_SUBDIVISION = re.compile(r"([A-Za-z]{2})-[A-Za-z0-9]{1,3}")


def _codes(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


COUNTRIES = _codes(
    "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR "
    "BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ "
    "EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW "
    "GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY "
    "KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV "
    "MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY "
    "QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG "
    "TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS XK YE YT ZA "
    "ZM ZW"
)
"""The two-letter codes of ISO 3166-1, and XK, which is in use for Kosovo."""

CURRENCIES = _codes(
    "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BOV BRL BSD BTN "
    "BWP BYN BZD CAD CDF CHE CHF CHW CLF CLP CNY COP COU CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN "
    "ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD "
    "JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT "
    "MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG "
    "QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT "
    "TND TOP TRY TTD TWD TZS UAH UGX USD USN UYI UYU UYW UZS VED VES VND VUV WST XAF XCD XCG XDR "
    "XOF XPF XSU XUA YER ZAR ZMW ZWG"
)
"""The codes of ISO 4217 for money, with those withdrawn since 2024 (ANG, BGN); not for metals."""


def country_of(text: str) -> str | None:
    """Find the two-letter code of a country; None if the text names none, or not only one.

    The text is a code of two or three letters in any case (also UK and EL), a code of ISO 3166-2
    (`DE-BY`), or a name of the country in English or one of 36 other languages.
    """
    plain = text.strip()
    code = plain.upper()
    if code in COUNTRIES:
        return code
    if (part := _SUBDIVISION.fullmatch(plain)) and part[1].upper() in COUNTRIES:
        return part[1].upper()
    return _codes_by_name().get(_key(plain))


@cache
def _codes_by_name() -> Mapping[str, str]:
    """Codes by names as `_key` spells them.

    The names are those of Unicode CLDR (as Babel 2.19 has them) and ISO 3166-1 (as pycountry has
    them), with the codes of three letters, and common names beside them. A name of two countries
    is not among them.
    """
    names: Mapping[str, str] = json.loads(_NAMES_FILE.read_text("utf-8"))
    return {name: code for code, joined in names.items() for name in joined.split()}


def _key(name: str) -> str:
    """A name without case, accents, spaces and punctuation."""
    flat = unicodedata.normalize("NFKD", name).casefold()
    return "".join(filter(str.isalpha, flat))
