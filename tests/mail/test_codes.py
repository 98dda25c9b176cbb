"""What a guess is told: right once, bound to tenant, purpose and address, and only while it is alive."""

from __future__ import annotations

import asyncio
import hmac
from collections import Counter
from typing import Any

import pytest

from peers.configuration import ACME, OTHER
from postroom_server.clock import DAY, HOUR, MINUTE, SECOND
from postroom_server.delivery.codes import hand_over, hand_over_at_dot
from postroom_server.mail import codes
from postroom_server.mail.codes import CodeChecks
from postroom_server.refusals import Reason, Refusal
from postroom_server.store.codes import CodeMaker
from postroom_server.store.models import Code, CodeGuess, Delivery, Event
from postroom_server.store.opening import OpenDatabase
from postroom_server.store.sealing import DataKey
from sent_codes import ANN, EXPIRED, VALID, WRONG, SentCodes, wrong


@pytest.fixture
async def world(opened: OpenDatabase) -> SentCodes:
    return await SentCodes(opened).prepare()


async def test_d3_a_right_code_is_valid_once(world: SentCodes) -> None:
    code = await world.obtain()
    assert await world.check(code) is VALID
    assert await world.check(code) is EXPIRED
    assert await world.check(wrong(code)) is EXPIRED


@pytest.mark.every_database
async def test_d3_of_fifty_parallel_checks_exactly_one_succeeds(world: SentCodes) -> None:
    code = await world.obtain()
    outcomes = Counter(await asyncio.gather(*(world.check(code) for _ in range(50))))
    assert outcomes == {VALID: 1, EXPIRED: 49}


async def test_d1_a_wrong_code_is_wrong_and_the_right_one_still_valid(world: SentCodes) -> None:
    code = await world.obtain()
    assert await world.check(wrong(code)) is WRONG
    assert await world.check(code) is VALID


@pytest.mark.parametrize(
    "where",
    [{"address": "bob@example.com"}, {"biz_key": "SIGNUP"}, {"tenant_id": OTHER}, {"tenant_id": 0}],
    ids=str,
)
async def test_d5_a_code_is_nothing_for_another_tenant_purpose_or_address(
    world: SentCodes, where: dict[str, Any]
) -> None:
    code = await world.obtain()
    assert await world.check(code, **where) is EXPIRED
    assert await world.check(code) is VALID


async def test_d5_codes_of_two_tenants_and_purposes_live_side_by_side(world: SentCodes) -> None:
    mine = await world.obtain()
    theirs = await world.obtain(tenant_id=OTHER)
    world.clock.advance(MINUTE)
    sign_up = await world.obtain(biz_key="SIGNUP")
    assert await world.check(theirs, tenant_id=OTHER) is VALID
    assert await world.check(mine) is VALID
    assert await world.check(sign_up, biz_key="SIGNUP") is VALID


@pytest.mark.parametrize(
    ("sent", "asked"),
    [
        ("Ann@Example.COM", "ann@example.com"),
        ("ann@example.com", "ANN@EXAMPLE.COM"),
        ("ann@bücher.example", "ann@xn--bcher-kva.example"),
        ("rené@example.com", "Rene\u0301@example.com"),
    ],
)
async def test_d5_another_spelling_of_the_address_is_the_same_address(
    world: SentCodes, sent: str, asked: str
) -> None:
    email_id = await world.send(sent)
    await world.hand_over(email_id)
    (row,) = await world.rows(Code, Code.email_id == email_id)
    code = await world.code_of(email_id, row.address_key)
    assert await world.check(code, asked) is VALID


@pytest.mark.parametrize("other", ["straße@example.com", "ann+x@example.com", "a.nn@example.com"])
async def test_d5_what_may_be_another_mailbox_is_another_address(world: SentCodes, other: str) -> None:
    code = await world.obtain("strasse@example.com" if "ß" in other else ANN)
    assert await world.check(code, other) is EXPIRED


async def test_d6_a_code_that_was_not_handed_over_is_of_no_use(world: SentCodes) -> None:
    email_id = await world.send()
    code = await world.code_of(email_id)
    assert await world.check(code) is EXPIRED
    await world.hand_over(email_id)
    assert await world.check(code) is VALID


@pytest.mark.parametrize("validity", [SECOND, 300 * SECOND, DAY])
async def test_d6_a_code_is_valid_for_its_validity_and_not_a_millisecond_longer(
    world: SentCodes, validity: int
) -> None:
    code = await world.obtain(validity=validity)
    other = await world.obtain("bob@example.com", validity=validity)
    world.clock.advance(validity - 1)
    assert await world.check(code) is VALID
    world.clock.advance(1)
    assert await world.check(other, "bob@example.com") is EXPIRED


async def test_d6_validity_counts_from_hand_over_not_from_accept(world: SentCodes) -> None:
    email_id = await world.send(validity=MINUTE, expire_time=world.clock.now() + HOUR)
    world.clock.advance(10 * MINUTE)
    await world.hand_over(email_id)
    world.clock.advance(MINUTE - 1)
    assert await world.check(await world.code_of(email_id)) is VALID


async def test_d6_a_second_hand_over_does_not_lengthen_a_code(world: SentCodes) -> None:
    email_id = await world.send(validity=MINUTE)
    await world.hand_over(email_id)
    world.clock.advance(30 * SECOND)
    await world.hand_over(email_id)
    world.clock.advance(30 * SECOND)
    assert await world.check(await world.code_of(email_id)) is EXPIRED


async def test_d6_the_older_code_dies_when_the_newer_is_handed_over(world: SentCodes) -> None:
    older = await world.obtain()
    world.clock.advance(MINUTE)
    email_id = await world.send()
    newer = await world.code_of(email_id)
    # Until then the mail that came is the one that counts.
    assert await world.check(newer) is WRONG
    await world.hand_over(email_id)
    assert await world.check(older) is WRONG
    assert await world.check(newer) is VALID
    # And it does not come back once the newer one is used.
    assert await world.check(older) is EXPIRED


def mark(email_id: int, time: int) -> list[int]:
    Delivery.update(dot_time=time).where(Delivery.email_id == email_id).execute()
    return [row.id for row in Delivery.select(Delivery.id).where(Delivery.email_id == email_id)]


async def test_d6_a_mail_that_left_perhaps_was_handed_over_at_its_dot(world: SentCodes) -> None:
    slow = await world.send(validity=HOUR)
    old = await world.code_of(slow)
    deliveries = await world.store.write(mark, slow, world.clock.now())
    world.clock.advance(MINUTE)
    newer = await world.obtain()
    world.clock.advance(MINUTE)
    # Only now is it noticed that nobody will ever answer: the code that came in between stays the newer one.
    await world.store.write(hand_over_at_dot, deliveries, world.clock.now())
    assert await world.check(old) is WRONG
    assert await world.check(newer) is VALID


async def test_d6_a_dot_that_left_no_mark_counts_from_when_it_was_noticed(world: SentCodes) -> None:
    email_id = await world.send(validity=MINUTE)
    (row,) = await world.rows(Code)
    world.clock.advance(MINUTE)
    await world.store.write(hand_over_at_dot, [row.delivery_id], world.clock.now())
    assert await world.check(await world.code_of(email_id)) is VALID


async def test_hand_over_touches_no_other_code(world: SentCodes) -> None:
    await world.send("ann@example.com", "bob@example.com")
    first, second = await world.rows(Code)
    await world.store.write(hand_over, [first.delivery_id], world.clock.now())
    assert [row.hand_over_time for row in await world.rows(Code)] == [world.clock.now(), None]
    assert first.delivery_id != second.delivery_id


@pytest.mark.parametrize(
    ("typed", "outcome"),
    [
        ("{code}", VALID),
        (" {code}\n", VALID),
        ("{half} {rest}", VALID),
        ("{half}\u00a0{rest}", VALID),
        ("{half}-{rest}", WRONG),
        ("0{code}", WRONG),
        ("{code}0", WRONG),
        ("+{code}", WRONG),
        ("{half}", WRONG),
        (" ", WRONG),
        ("{wide}", WRONG),
        ("{arabic}", WRONG),
        ("\0{code}", WRONG),
        ("' OR 1=1 --", WRONG),
        ("验证码", WRONG),
        ("x" * 160, WRONG),
        ("******", WRONG),
    ],
)
async def test_d1_only_the_six_digits_are_right(world: SentCodes, typed: str, outcome: str) -> None:
    code = await world.obtain()
    said = typed.format(
        code=code,
        half=code[:3],
        rest=code[3:],
        wide="".join(chr(0xFF10 + int(digit)) for digit in code),
        arabic="".join(chr(0x0660 + int(digit)) for digit in code),
    )
    assert await world.check(said) is outcome


@pytest.mark.parametrize(
    ("biz_key", "address", "code", "fields"),
    [
        ("", ANN, "123456", ["biz_key"]),
        ("signin", ANN, "123456", ["biz_key"]),
        ("SIGNIN\0", ANN, "123456", ["biz_key"]),
        ("SIGNIN\n", ANN, "123456", ["biz_key"]),
        ("S" * 65, ANN, "123456", ["biz_key"]),
        ("S" * 1_000_000, ANN, "123456", ["biz_key"]),
        ("SIGNIN", "", "123456", ["address"]),
        ("SIGNIN", "Ann <ann@example.com>", "123456", ["address"]),
        ("SIGNIN", "ann@example.com\r\n", "123456", ["address"]),
        ("SIGNIN", f"{'a' * 1_000_000}@example.com", "123456", ["address"]),
        ("SIGNIN", ANN, "", ["code"]),
        ("SIGNIN", ANN, "1" * 161, ["code"]),
        ("SIGNIN", ANN, " " * 1_000_000, ["code"]),
        ("", "", "", ["biz_key", "address", "code"]),
    ],
    ids=range(14),
)
async def test_d5_e6_the_fields_of_a_guess_are_checked(
    world: SentCodes, biz_key: str, address: str, code: str, fields: list[str]
) -> None:
    with pytest.raises(Refusal) as caught:
        world.checks.read(biz_key, address, code)
    assert caught.value.reason is Reason.INVALID_FIELD
    assert [violation.field for violation in caught.value.violations] == fields


async def test_d5_the_longest_fields_of_a_guess_are_taken(world: SentCodes) -> None:
    longest = f"{'a' * 64}@{'b.' * 91}example"
    assert world.checks.read("S" * 64, longest, "1" * 160).address_key == longest


async def test_g1_a_code_of_a_key_that_is_gone_has_expired(world: SentCodes) -> None:
    # `secrets rotate` is to keep the old key until the last code is over; until then this is what happens.
    code = await world.obtain()
    rotated = CodeMaker(DataKey.from_text("5b" * 32))
    world.checks = CodeChecks(world.clock, world.mint, rotated, world.limits)
    assert await world.check(code) is EXPIRED
    assert await world.check(wrong(code)) is EXPIRED
    assert await world.rows(CodeGuess) == []


async def test_d1_codes_are_compared_in_constant_time(
    world: SentCodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[tuple[bytes, bytes]] = []
    in_constant_time = hmac.compare_digest

    def compare(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return in_constant_time(one, other)

    monkeypatch.setattr(codes.hmac, "compare_digest", compare)
    code = await world.obtain()
    assert [await world.check(wrong(code)), await world.check(code)] == [WRONG, VALID]
    assert compared == [(code.encode(), wrong(code).encode()), (code.encode(), code.encode())]


async def test_d4_events_say_which_code_ended_and_how_but_not_what_it_was(world: SentCodes) -> None:
    code = await world.obtain()
    await world.check(wrong(code))
    assert await world.rows(Event, Event.kind == "CODE_SETTLED") == []
    await world.check(code)
    await world.check(code)
    (event,) = await world.rows(Event, Event.kind == "CODE_SETTLED")
    (row,) = await world.rows(Code)
    told = {name: value for name, value in event.__data__.items() if value not in (None, False)}
    told.pop("id")
    told.pop("xid", None)
    assert told == {
        "tenant_id": ACME,
        "email_id": row.email_id,
        "delivery_id": row.delivery_id,
        "kind": "CODE_SETTLED",
        "state": "VALID",
        "time": world.clock.now(),
    }
