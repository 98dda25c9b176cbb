"""Unsubscribing by a link: what is listed, what is told, and that links outlive the mail they stood in."""

from __future__ import annotations

import pytest

from accepting import Accepting, draft, templated
from fakes import NOON, ManualClock
from peers.configuration import ACME, AUTHOR, OTHER, content, template
from postroom_server.mail.suppressions import Suppressions
from postroom_server.mail.template_form import TemplateForm
from postroom_server.mail.unsubscribing import Unsubscribing, Unsubscription, masked
from postroom_server.refusals import Reason, Refusal
from postroom_server.store import suppressed
from postroom_server.store.models import (
    Content,
    Delivery,
    Email,
    Recipient,
    RecipientState,
    Suppression,
    SuppressionReason,
    TemplateKind,
)
from postroom_server.store.opening import OpenDatabase
from postroom_server.store.suppressed import Entry
from postroom_server.store.unit import Store
from postroom_server.store.unsubscribe_tokens import Subscriber, UnsubscribeTokens

pytestmark = pytest.mark.every_database
JANE = "Jane.Doe@example.com"
MASKED = "J***@example.com"


def batch(invoke_name: str = "news") -> TemplateForm:
    return TemplateForm(invoke_name, "News", TemplateKind.BATCH, content())


class World(Accepting):
    def __init__(self, opened: OpenDatabase) -> None:
        super().__init__(opened)
        self.tokens = UnsubscribeTokens(opened.key)
        self.unsubscribing = Unsubscribing(self.clock, self.mint, self.tokens)

    async def send(self, invoke_name: str = "news", address: str = JANE) -> Subscriber:
        """Accepts a mail, and returns whom a link in it means."""
        accepted = await self.accept(templated(invoke_name, to=(address,)))
        return Subscriber(ACME, accepted.id, address)

    async def describe(self, subscriber: Subscriber) -> Unsubscription:
        return await self.store.read(self.unsubscribing.describe, subscriber)

    async def unsubscribe(self, subscriber: Subscriber) -> tuple[Unsubscription, int]:
        done = await self.store.write(self.unsubscribing.unsubscribe, subscriber)
        return done.unsubscription, done.added_count

    async def states(self, email_id: int) -> list[str]:
        return [row.state for row in await self.rows(Recipient, Recipient.email_id == email_id)]


@pytest.fixture
async def world(opened: OpenDatabase) -> World:
    made = World(opened)
    await made.fill()
    await made.add_server(from_name="Acme News")
    await made.new_template(batch())
    await made.new_template(template("receipt"))
    return made


async def test_a_reader_is_listed_with_the_email_that_they_had_enough_of(world: World) -> None:
    jane = await world.send()
    before = await world.describe(jane)
    assert before == Unsubscription(MASKED, "Acme News", "en", unsubscribed=False)
    after, added = await world.unsubscribe(jane)
    assert (after, added) == (Unsubscription(MASKED, "Acme News", "en", unsubscribed=True), 1)
    assert await world.describe(jane) == after
    (row,) = await world.rows(Suppression)
    assert (row.tenant_id, row.address, row.address_key) == (ACME, JANE, JANE.lower())
    assert (row.reason, row.email_id, row.create_time) == ("UNSUBSCRIBED", jane.email_id, NOON)
    assert row.note == f"by the link in email {jane.email_id}"


async def test_repeating_is_harmless_and_answers_the_same(world: World) -> None:
    jane = await world.send()
    first, _ = await world.unsubscribe(jane)
    again, added = await world.unsubscribe(jane)
    other, also = await world.unsubscribe(await world.send(address="JANE.DOE@example.com"))
    assert (again, added, also) == (first, 0, 0)
    assert other.unsubscribed
    (row,) = await world.rows(Suppression)
    assert row.email_id == jane.email_id


@pytest.mark.parametrize("reason", [r for r in SuppressionReason if r is not SuppressionReason.UNSUBSCRIBED])
async def test_a_stronger_reason_stays_and_the_answer_does_not_tell_it(
    world: World, reason: SuppressionReason
) -> None:
    jane = await world.send()
    await world.store.write(suppressed.put, [Entry(ACME, JANE, reason, note="n")], world.mint, NOON)
    assert (await world.describe(jane)).unsubscribed
    after, added = await world.unsubscribe(jane)
    assert (after, added) == (Unsubscription(MASKED, "Acme News", "en", unsubscribed=True), 0)
    (row,) = await world.rows(Suppression)
    assert (row.reason, row.note) == (reason.value, "n")


async def test_it_stops_batch_mail_and_nothing_else(world: World) -> None:
    await world.unsubscribe(await world.send())
    stopped = await world.accept(templated("news", to=(JANE.upper(),)))
    assert stopped.suppressed == ("JANE.DOE@example.com",)
    assert await world.states(stopped.id) == [RecipientState.SUPPRESSED]
    for sent in (
        await world.accept(templated("receipt", to=(JANE,))),
        await world.accept(draft(to=(JANE,))),
        await world.accept(
            draft(to=(JANE,), biz_key="SIGNIN", subject="%verificationCode%", has_verification=True)
        ),
    ):
        assert sent.suppressed == ()
        assert await world.states(sent.id) == [RecipientState.OPEN]


async def test_what_counts_is_the_version_that_is_sent_and_not_one_that_waits_for_review(
    world: World,
) -> None:
    await world.unsubscribe(await world.send())
    await world.review_by_hand()
    for name, kind in (("receipt", TemplateKind.BATCH), ("news", TemplateKind.TRIGGER)):
        await world.change_template(
            TemplateForm(name, "News", kind, content("New %name%")), "kind", "content"
        )
    receipt = await world.accept(templated("receipt", to=(JANE,)))
    news = await world.accept(templated("news", to=(JANE,)))
    assert (receipt.suppressed, news.suppressed) == ((), (JANE,))


async def test_it_stops_this_tenants_mail_alone(world: World) -> None:
    await world.unsubscribe(await world.send())
    there = await world.describe(Subscriber(OTHER, 1, JANE))
    assert there == Unsubscription(MASKED, "", "", unsubscribed=False)


async def test_who_is_taken_off_the_list_gets_mail_again(world: World) -> None:
    jane = await world.send()
    await world.unsubscribe(jane)
    suppressions = Suppressions(ManualClock(), world.mint)
    assert (
        await world.store.write(suppressions.remove, AUTHOR, None, suppressions.check_addresses([JANE])) == 1
    )
    assert not (await world.describe(jane)).unsubscribed
    again = await world.accept(templated("news", to=(JANE,)))
    assert again.suppressed == ()
    # The old link works once more: it is not used up.
    assert (await world.unsubscribe(jane))[1] == 1


async def test_a_link_outlives_the_mail_it_stood_in(world: World) -> None:
    jane = await world.send()
    await world.store.write(_purge)
    told, added = await world.unsubscribe(jane)
    assert (told, added) == (Unsubscription(MASKED, "", "", unsubscribed=True), 1)
    assert (await world.accept(templated("news", to=(JANE,)))).suppressed == (JANE,)


def _purge() -> None:
    """What retention leaves of everything that was sent."""
    for model in (Recipient, Delivery, Content, Email):
        model.delete().execute()


async def test_a_sender_without_a_name_is_told_by_the_address(world: World) -> None:
    jane = await world.send()
    await world.store.write(Email.update(from_name="").execute)
    assert (await world.describe(jane)).sender == "noreply@acme.example"


async def test_the_language_is_that_of_the_mail(world: World) -> None:
    jane = await world.send()
    await world.store.write(Email.update(template_language="zh-CN").execute)
    assert (await world.describe(jane)).language == "zh-CN"


async def test_an_email_of_another_tenant_is_not_told_of(world: World) -> None:
    jane = await world.send()
    told = await world.describe(Subscriber(OTHER, jane.email_id, JANE))
    assert (told.sender, told.language) == ("", "")


async def test_every_wrong_token_is_refused_alike(world: World) -> None:
    right = world.tokens.token(Subscriber(ACME, 1, JANE))
    assert world.unsubscribing.read(right) == Subscriber(ACME, 1, JANE)
    seen = set()
    for wrong in ("", "x", right[:-1], right[:-4], "A" + right[1:], right + "AAAA", "é"):
        with pytest.raises(Refusal) as caught:
            world.unsubscribing.read(wrong)
        seen.add((caught.value.reason, str(caught.value)))
    assert seen == {(Reason.TOKEN_INVALID, "this is no unsubscribe link of this deployment")}


async def test_many_who_unsubscribe_at_once_are_all_listed(store: Store, world: World) -> None:
    readers = [Subscriber(ACME, n, f"reader{n % 50}@example.com") for n in range(1, 101)]
    done = [await world.store.write(world.unsubscribing.unsubscribe, reader) for reader in readers]
    assert sum(one.added_count for one in done) == 50
    assert len(await world.rows(Suppression)) == 50


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("jane@example.com", "j***@example.com"),
        ("j@example.com", "j***@example.com"),
        ("字符@xn--fsqu00a.example", "字***@xn--fsqu00a.example"),
        ("a.b+c@example.com", "a***@example.com"),
    ],
)
def test_a_masked_address_shows_one_letter_and_the_domain(address: str, shown: str) -> None:
    assert masked(address) == shown
