"""The suppression list on the way out: asked once more at the lease, and fed by hard refusals."""

from __future__ import annotations

from typing import Any

import pytest

from delivery.ledgers import delivery, email, kinds, put_and_take, recipient_states, take
from delivery.values import ended, leased, middle, replies, reply
from fakes import NOON, ManualClock
from postroom_server.delivery.attempts import Settlement
from postroom_server.delivery.held_back import hard_refusals
from postroom_server.delivery.lease import lease_email
from postroom_server.delivery.leased import Leased
from postroom_server.delivery.settle import settle
from postroom_server.delivery.verdict import Verdict, judge
from postroom_server.smtp import Level, Phase, Reply, Transaction
from postroom_server.store import suppressed
from postroom_server.store.ids import IdMint
from postroom_server.store.models import Recipient, Suppression, SuppressionReason, TemplateVersion
from postroom_server.store.suppressed import Entry
from postroom_server.store.unit import Store
from stored_mail import put_email

pytestmark = pytest.mark.every_database
MINT = IdMint(ManualClock())
ANN, BOB = "ann@example.com", "bob@example.com"


def list_(*addresses: str, tenant_id: int = 1, reason: SuppressionReason = SuppressionReason.MANUAL) -> None:
    suppressed.put([Entry(tenant_id, address, reason) for address in addresses], MINT, NOON)


def listed() -> list[Any]:
    rows = Suppression.select().order_by(Suppression.address_key)
    return [(row.tenant_id, row.address, row.reason, row.email_id) for row in rows]


async def test_who_was_listed_since_is_not_sent_to(store: Store) -> None:
    email_id = await store.write(put_email, to=[ANN, BOB])
    await store.write(list_, "Ann@example.com")
    (left,) = await store.write(take)
    assert [recipient.address for recipient in left.open_recipients] == [BOB]
    row = await store.read(email, email_id)
    assert (row["state"], row["suppressed_count"], row["open_count"]) == ("PENDING", 1, 1)
    assert await store.read(kinds, email_id) == ["RECIPIENT_SETTLED"]
    assert await store.write(take, 2) == []


async def test_a_message_with_nobody_left_is_done_and_in_nobodys_hands(store: Store) -> None:
    email_id = await store.write(put_email, to=[ANN])
    await store.write(list_, ANN)
    assert await store.write(take) == []
    row = await store.read(email, email_id)
    assert (row["state"], row["suppressed_count"], row["settle_time"]) == ("FAILURE", 1, NOON)
    (delivery_id,) = {r.delivery_id for r in await store.read(lambda: list(Recipient.select()))}
    sent = await store.read(delivery, delivery_id)
    assert (sent["state"], sent["lease_owner"]) == ("DONE", None)
    assert await store.read(kinds, email_id) == ["RECIPIENT_SETTLED", "EMAIL_SETTLED"]


async def test_a_shared_message_goes_to_those_who_are_left(store: Store) -> None:
    await store.write(put_email, to=[ANN], cc=[BOB])
    await store.write(list_, BOB)
    (left,) = await store.write(take)
    assert [(r.address, r.is_open) for r in left.recipients] == [(ANN, True), (BOB, False)]
    assert await store.read(recipient_states, left.id) == ["OPEN", "SUPPRESSED"]
    assert (await store.read(delivery, left.id))["state"] == "LEASED"


async def test_lists_of_other_tenants_and_emails_that_set_it_aside_are_sent(store: Store) -> None:
    await store.write(put_email, to=[ANN], tenant_id=2)
    await store.write(put_email, to=[ANN], ignore_suppression=True)
    await store.write(put_email, to=[ANN])
    await store.write(list_, ANN)
    assert sorted((one.tenant_id, one.email.ignore_suppression) for one in await store.write(take)) == [
        (1, True), (2, False),
    ]  # fmt: skip


async def test_who_unsubscribed_since_still_gets_what_is_not_sent_to_many(store: Store) -> None:
    def version(id_: int, kind: str) -> None:
        TemplateVersion.insert(
            id=id_, tenant_id=1, template_id=id_, number=1, name="n", kind=kind, syntax="PERCENT",
            default_language="en", author="a", create_time=NOON, review_state="APPROVED",
        ).execute()  # fmt: skip

    def put() -> list[int]:
        version(7, "BATCH")
        version(8, "TRIGGER")
        return [put_email(to=[ANN], template_version_id=id_) for id_ in (7, 8, None)]

    batch, *others = await store.write(put)
    await store.write(list_, ANN, reason=SuppressionReason.UNSUBSCRIBED)
    assert [one.email.id for one in await store.write(take)] == others
    assert (await store.read(email, batch))["suppressed_count"] == 1


async def test_what_an_audience_gets_is_sent_to_many_whatever_it_is_made_of(store: Store) -> None:
    email_id = await store.write(put_email, to=[ANN], audience='{"type":"ALL"}', audience_state="COMPLETE")
    await store.write(list_, ANN, reason=SuppressionReason.UNSUBSCRIBED)
    assert await store.write(take) == []
    assert (await store.read(email, email_id))["suppressed_count"] == 1


async def test_a_trial_asks_no_list(store: Store) -> None:
    email_id = await store.write(put_email, to=[ANN])
    await store.write(list_, ANN)
    (one,) = await store.write(lease_email, 1, email_id)
    assert [r.address for r in one.open_recipients] == [ANN]


# Feeding.


def refused(*answers: Reply | int | None) -> Transaction:
    return ended(Phase.RCPT, Level.RECIPIENT, replies(*answers))


def judged(transaction: Transaction) -> Verdict:
    return judge(leased(), transaction, now=NOON, uniform=middle)


@pytest.mark.parametrize(
    ("answer", "lists"),
    [
        (reply(550, "5.1.1"), True),
        (reply(550, "5.1.10"), True),
        (reply(550, "5.2.1"), True),
        (reply(552, "5.2.2"), False),
        (reply(550, "5.7.1"), False),
        (reply(550, "5.1.2"), False),
        (reply(550), False),
        (reply(450, "4.1.1"), False),
        (reply(450, "5.1.1"), False),
        (None, False),
    ],
)
def test_only_the_hard_refusals_of_an_address_list_it(answer: Reply | None, lists: bool) -> None:
    found = hard_refusals(leased(), judged(refused(answer)), refused(answer), {1})
    entry = Entry(1, "r1@example.com", SuppressionReason.REFUSED, 1)
    assert found == ([entry] if lists else [])


def test_what_is_said_of_the_message_lists_nobody() -> None:
    at_mail = ended(Phase.MAIL, Level.MESSAGE, (None,), reply(550, "5.1.1"))
    at_dot = ended(Phase.DOT, Level.MESSAGE, replies(250), reply(550, "5.1.1"))
    found = [hard_refusals(leased(), judged(one), one, {1}) for one in (at_mail, at_dot)]
    assert found == [[], []]
    assert hard_refusals(leased(), judged(at_dot), None, {1}) == []


def test_whom_nobody_has_refused_is_not_listed() -> None:
    answers = replies(reply(550, "5.1.1"), 421)
    lost = ended(Phase.RCPT, Level.CONNECTION, answers, reply(421))
    two = leased(2)
    assert hard_refusals(two, judge(two, lost, now=NOON, uniform=middle), lost, {1, 2}) == []


async def settled(store: Store, one: Leased, transaction: Transaction, owner: int = 1) -> list[Settlement]:
    verdict = judge(one, transaction, now=NOON, uniform=middle)
    made = Settlement(one, verdict, transaction, 9, NOON, NOON)
    return await store.write(settle, owner, [made], MINT, NOON + 5)


async def test_a_refused_address_is_listed_once_it_is_settled(store: Store) -> None:
    one = await store.write(put_and_take, to=[ANN], cc=[BOB, "cat@example.com"])
    await settled(store, one, refused(reply(550, "5.1.1"), reply(552, "5.2.2"), reply(550, "5.2.1")))
    assert await store.read(recipient_states, one.id) == ["REFUSED"] * 3
    assert await store.read(listed) == [
        (1, ANN, "REFUSED", one.email.id),
        (1, "cat@example.com", "REFUSED", one.email.id),
    ]


async def test_who_is_listed_already_keeps_the_entry(store: Store) -> None:
    one = await store.write(put_and_take, to=[ANN])
    await store.write(list_, ANN)
    await settled(store, one, refused(reply(550, "5.1.1")))
    assert await store.read(listed) == [(1, ANN, "MANUAL", None)]


async def test_late_evidence_lists_nobody(store: Store) -> None:
    one = await store.write(put_and_take, to=[ANN])
    assert len(await settled(store, one, refused(reply(550, "5.1.1")), owner=2)) == 1
    assert await store.read(listed) == []


async def test_the_next_mail_to_a_refused_address_stays(store: Store) -> None:
    one = await store.write(put_and_take, to=[ANN])
    later = await store.write(put_email, to=[ANN])
    await settled(store, one, refused(reply(550, "5.1.1")))
    assert await store.write(take) == []
    assert (await store.read(email, later))["suppressed_count"] == 1
