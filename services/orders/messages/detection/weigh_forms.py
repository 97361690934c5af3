"""How well a number has a form: the check digit, the service and the destination's country."""

from __future__ import annotations

from services.orders.messages.detection import package_forms
from services.orders.messages.detection.candidate import CarrierCandidate, Finding
from services.orders.messages.detection.check_digits import CHECK_DIGITS
from services.orders.messages.detection.forms import CONFIDENCES, Form, forms_of

HIGH, MEDIUM, LOW = CONFIDENCES
_SERVICES = {
    "C": "parcels",
    "E": "express items",
    "H": "parcels of e-commerce",
    "L": "tracked letters",
    "R": "registered letters",
    "U": "letters without tracking",
    "V": "insured letters",
}
"""Kinds of items by the first letter of a number of UPU S10."""

_Rank = tuple[int, int, int]
"""Places of the confidence, of the check digit and of the country; the lowest is the best."""


def findings(number: str, country: str | None) -> tuple[Finding, ...]:
    """One finding a carrier, by confidence, check digit and country, then by the carrier's key.

    Beside a carrier of high confidence those of low confidence are left out.
    """
    best: dict[str, tuple[_Rank, Finding]] = {}
    for form in forms_of(number):
        weighed = _weigh(form, number, country)
        if weighed is None:
            continue
        held = best.get(form.carrier)
        if held is None or weighed[0] < held[0]:
            best[form.carrier] = weighed
    ranked = sorted(best.items(), key=lambda item: (item[1][0], item[0]))
    found = [finding for _, (_, finding) in ranked]
    if found and found[0].candidate.confidence == HIGH:
        found = [each for each in found if each.candidate.confidence != LOW]
    return tuple(found)


def _weigh(form: Form, number: str, country: str | None) -> tuple[_Rank, Finding] | None:
    """The finding of a form; None where a check digit or the country rules the form out."""
    checked = _of_package(form, number) if form.definition is not None else _own_check(form, number)
    if checked is None:
        return None
    level, has_check, said = checked
    weighed = _by_country(form, level, country)
    if weighed is None:
        return None
    level, place, of_country = weighed
    evidence = (f"has the form {form.name}", *said, *of_country)
    finding = Finding(CarrierCandidate(form.carrier, level, evidence), form.source)
    return (CONFIDENCES.index(level), 0 if has_check else 1, place), finding


_Checked = tuple[str, bool, list[str]]
"""The confidence after the check digit, whether there is one, and what it says."""


def _of_package(form: Form, number: str) -> _Checked | None:
    assert form.definition is not None
    read = package_forms.read(form.definition, number)
    if read is None:
        return None
    level = form.confidence if read.is_valid else _without_check(form)
    if level is None:
        return None
    if not read.is_known_service:
        level = _lowered(level)
    says = f"check digit {read.check_digit} is {'right' if read.is_valid else 'wrong'}"
    return level, True, [says, *_of_service(form, read)]


def _of_service(form: Form, read: package_forms.PackageMatch) -> list[str]:
    if read.service is None:
        return []
    known = "known" if read.is_known_service else "not known"
    kind = _SERVICES.get(read.service[0]) if form.name.startswith("UPU S10") else None
    return [f"service type {read.service} is {known}" + (f": {kind}" if kind else "")]


def _own_check(form: Form, number: str) -> _Checked | None:
    if form.check is None:
        return form.confidence, False, ["the form has no check digit"]
    right = CHECK_DIGITS[form.check](number)
    if number[-1] == right:
        return form.confidence, True, [f"check digit {right} is right"]
    level = _without_check(form)
    wrong = f"check digit {number[-1]} is wrong, {right} would be right"
    return None if level is None else (level, True, [wrong])


def _without_check(form: Form) -> str | None:
    """What is left where the check digit is wrong: only letters or a prefix still say something."""
    return LOW if form.confidence == HIGH else None


def _lowered(level: str) -> str:
    return MEDIUM if level == HIGH else LOW


def _by_country(form: Form, level: str, country: str | None) -> tuple[str, int, list[str]] | None:
    """A country in which the form is delivered lifts low; another one lowers medium."""
    if country is None or not form.countries or level == HIGH:
        return level, 1, []
    if country in form.countries:
        lifted = MEDIUM if form.confidence == LOW else level
        return lifted, 0, [f"such numbers are delivered in {country}"]
    if level == LOW:
        return None
    return LOW, 2, [f"such numbers are seldom delivered in {country}"]
