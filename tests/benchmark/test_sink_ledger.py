"""The verifying sink's ledger: what is missing, doubled or nobody's, and who is refused once."""

from __future__ import annotations

from bench import mails
from bench.sink_process import Ledger, is_refused_first

FIRST = 1_000_000
NUMBERS = range(FIRST, FIRST + 40)


def _address(number: int) -> bytes:
    return mails.address(number).encode()


def _expecting(*, refuses: bool = False) -> Ledger:
    ledger = Ledger(refuses=refuses)
    ledger.expect(NUMBERS, more=False, kept=True)
    return ledger


def test_all_that_is_expected_and_right_is_no_problem() -> None:
    ledger = _expecting()
    for number in NUMBERS:
        ledger.note(_address(number), mails.message(number))

    assert ledger.problem(first_pass=False) == ""
    assert ledger.last(first_pass=False) == ledger.times[NUMBERS[-1]]


def test_what_is_missing_is_told() -> None:
    ledger = _expecting()
    for number in NUMBERS[1:]:
        ledger.note(_address(number), mails.message(number))

    assert ledger.problem(first_pass=False).startswith("1 missing, 0 twice, 0 wrong of 40")


def test_what_comes_twice_is_told() -> None:
    ledger = _expecting()
    for number in (*NUMBERS, FIRST):
        ledger.note(_address(number), mails.message(number))

    assert ledger.problem(first_pass=False).startswith("0 missing, 1 twice, 0 wrong")


def test_mail_that_nobody_expects_is_told() -> None:
    ledger = _expecting()
    for number in (*NUMBERS, FIRST + 40):
        ledger.note(_address(number), mails.message(number))

    assert ledger.problem(first_pass=False).startswith("0 missing, 0 twice, 1 wrong")


def test_somebody_elses_mail_is_told() -> None:
    ledger = _expecting()
    for number in NUMBERS:
        ledger.note(_address(number), mails.message(FIRST))

    assert ledger.problem(first_pass=False).startswith("0 missing, 0 twice, 39 wrong")


def test_one_in_twenty_is_refused_once_at_rcpt_or_at_the_dot() -> None:
    ledger = _expecting(refuses=True)
    refused = [number for number in NUMBERS if is_refused_first(number)]

    at_recipient = [n for n in NUMBERS if ledger.refuses(_address(n), at_dot=False)]
    at_dot = [n for n in NUMBERS if ledger.refuses(_address(n), at_dot=True)]

    assert sorted(at_recipient + at_dot) == refused
    assert len(at_recipient) == len(at_dot) == 1
    assert not any(ledger.refuses(_address(n), at_dot=False) for n in NUMBERS)
    assert not any(ledger.refuses(_address(n), at_dot=True) for n in NUMBERS)


def test_the_first_pass_does_not_wait_for_those_that_were_refused() -> None:
    ledger = _expecting(refuses=True)
    for number in NUMBERS:
        if not is_refused_first(number):
            ledger.note(_address(number), mails.message(number))

    assert ledger.problem(first_pass=True) == ""
    assert ledger.problem(first_pass=False).startswith("2 missing")


def test_more_is_expected_beside_what_still_has_to_come() -> None:
    ledger = _expecting()
    ledger.expect(range(FIRST + 40, FIRST + 42), more=True, kept=True)

    assert ledger.missing(first_pass=False) == 42
    ledger.note(_address(FIRST + 41), mails.message(FIRST + 41))
    assert ledger.missing(first_pass=False) == 41
    assert ledger.last(first_pass=False) == ledger.times[FIRST + 41]
