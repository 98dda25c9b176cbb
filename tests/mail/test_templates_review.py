"""Reviews: who may be sent, and what a reviewer decides."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from fakes import NOON, ManualClock
from peers.configuration import ACME, AUTHOR, OPERATOR, REVIEWER, STRANGER, Configuration, content, template
from postroom_server.mail.template_form import TemplateRecord, VersionRecord
from postroom_server.mail.template_rows import find_template, find_version, version_records
from postroom_server.refusals import Reason
from postroom_server.store.models import ReviewState
from postroom_server.store.opening import OpenDatabase
from refusing import refusal_of

PENDING, APPROVED = ReviewState.PENDING, ReviewState.APPROVED
REJECTED, NOT_SUBMITTED = ReviewState.REJECTED, ReviewState.NOT_SUBMITTED


class World(Configuration):
    async def submit(self, version: int = 0) -> TemplateRecord:
        return await self.store.write(self.reviews.submit, AUTHOR, None, "welcome", version)

    async def withdraw(self, version: int = 0) -> TemplateRecord:
        return await self.store.write(self.reviews.withdraw, AUTHOR, None, "welcome", version)

    async def approve(self, version: int = 0, reason: str = "") -> TemplateRecord:
        return await self.store.write(self.reviews.approve, REVIEWER, None, "welcome", version, reason)

    async def reject(self, version: int = 0, reason: str = "no") -> TemplateRecord:
        return await self.store.write(self.reviews.reject, REVIEWER, None, "welcome", version, reason)

    async def version(self, number: int) -> VersionRecord:
        def read() -> VersionRecord:
            row = find_version(find_template(ACME, "welcome"), number)
            return version_records([row], with_content=False)[0]

        return await self.store.read(read)

    async def change(self, subject: str, *, submit: bool = True) -> TemplateRecord:
        return await self.change_template(template(body=content(subject)), "content", submit=submit)

    async def subject_sent(self) -> str | None:
        known = await self.store.read(self.memory.current)
        facts = await self.store.read(known.template, ACME, "welcome")
        assert facts is not None
        if facts.approved_version_id is None:
            return None
        version = await self.store.read(known.version, facts.approved_version_id)
        return version.variants["en"].content.subject


@pytest.fixture
async def world(opened: OpenDatabase) -> World:
    made = World(opened, ManualClock())
    await made.fill()
    return made


@pytest.fixture
async def manual(world: World) -> World:
    await world.review_by_hand()
    return world


def stands(record: TemplateRecord) -> tuple[int, ReviewState, int]:
    return record.version, record.review_state, record.approved_version


async def test_with_mode_auto_a_submitted_version_is_approved_at_once(world: World) -> None:
    assert stands(await world.new_template()) == (1, APPROVED, 1)
    assert stands(await world.change("Two")) == (2, APPROVED, 2)
    version = await world.version(2)
    assert (version.submit_time, version.review_time, version.reviewer) == (NOON, NOON, "")


async def test_with_mode_auto_an_unsubmitted_version_waits_for_its_author(world: World) -> None:
    await world.new_template()
    assert stands(await world.change("Two", submit=False)) == (2, NOT_SUBMITTED, 1)
    assert await world.subject_sent() == "Hi %name%"
    assert stands(await world.submit()) == (2, APPROVED, 2)
    assert await world.subject_sent() == "Two"


async def test_with_mode_manual_nothing_is_sent_before_it_is_approved(manual: World) -> None:
    assert stands(await manual.new_template()) == (1, PENDING, 0)
    assert await manual.subject_sent() is None
    assert stands(await manual.approve(reason="fine")) == (1, APPROVED, 1)
    assert await manual.subject_sent() == "Hi %name%"
    version = await manual.version(1)
    assert (version.reviewer, version.review_time, version.review_reason) == ("reviewer", NOON, "fine")


async def test_the_approved_version_is_sent_while_a_new_one_waits(manual: World) -> None:
    await manual.new_template()
    await manual.approve()
    assert stands(await manual.change("Two")) == (2, PENDING, 1)
    assert await manual.subject_sent() == "Hi %name%"
    assert stands(await manual.reject(reason="typo")) == (2, REJECTED, 1)
    assert await manual.subject_sent() == "Hi %name%"
    assert (await manual.version(2)).review_reason == "typo"
    assert stands(await manual.change("Three")) == (3, PENDING, 1)
    assert stands(await manual.approve()) == (3, APPROVED, 3)
    assert await manual.subject_sent() == "Three"


async def test_a_pending_version_is_not_changed(manual: World) -> None:
    await manual.new_template()
    renamed = dataclasses.replace(template(), name="x")
    refusal = await refusal_of(manual.change_template(renamed, "name"))
    assert (refusal.reason, refusal.code) == (Reason.TEMPLATE_REVIEW_STATE, "FAILED_PRECONDITION")
    assert refusal.metadata == {"version": "1", "review_state": "PENDING"}
    restored = manual.store.write(manual.versions.restore, AUTHOR, None, "welcome", 1)
    assert (await refusal_of(restored)).reason is Reason.TEMPLATE_REVIEW_STATE
    await manual.withdraw()
    assert stands(await manual.change_template(renamed, "name")) == (2, PENDING, 0)


async def test_a_version_that_went_to_review_meanwhile_is_not_changed(manual: World) -> None:
    await manual.new_template(submit=False)
    renamed = dataclasses.replace(template(), name="x")
    checked = await manual.store.read(manual.templates.check_update, AUTHOR, None, renamed, ["name"])
    await manual.submit()
    refusal = await refusal_of(manual.store.write(manual.templates.update, AUTHOR, checked))
    assert refusal.reason is Reason.TEMPLATE_REVIEW_STATE


async def test_a_withdrawn_version_looks_as_if_never_submitted(manual: World) -> None:
    await manual.new_template()
    assert (await manual.version(1)).submit_time == NOON
    assert stands(await manual.withdraw()) == (1, NOT_SUBMITTED, 0)
    assert (await manual.version(1)).submit_time is None
    assert stands(await manual.submit()) == (1, PENDING, 0)


async def test_a_rejected_version_may_be_submitted_again_without_its_old_verdict(manual: World) -> None:
    await manual.new_template()
    await manual.reject(reason="typo")
    assert stands(await manual.submit()) == (1, PENDING, 0)
    version = await manual.version(1)
    assert (version.reviewer, version.review_time, version.review_reason) == ("", None, "")


async def _not_submitted(world: World) -> None:
    await world.new_template(submit=False)


async def _pending(world: World) -> None:
    await world.new_template()


async def _rejected(world: World) -> None:
    await world.new_template()
    await world.reject()


async def _approved(world: World) -> None:
    await world.new_template()
    await world.approve()


@pytest.mark.parametrize(
    ("arrive", "step", "state"),
    [
        (_not_submitted, World.submit, PENDING),
        (_pending, World.withdraw, NOT_SUBMITTED),
        (_pending, World.approve, APPROVED),
        (_pending, World.reject, REJECTED),
        (_rejected, World.submit, PENDING),
    ],
)
async def test_steps_that_a_state_allows(manual: World, arrive: Any, step: Any, state: ReviewState) -> None:
    await arrive(manual)
    assert (await step(manual)).review_state is state


@pytest.mark.parametrize(
    ("arrive", "step", "state"),
    [
        (_not_submitted, World.withdraw, NOT_SUBMITTED),
        (_not_submitted, World.approve, NOT_SUBMITTED),
        (_not_submitted, World.reject, NOT_SUBMITTED),
        (_pending, World.submit, PENDING),
        (_rejected, World.withdraw, REJECTED),
        (_rejected, World.approve, REJECTED),
        (_rejected, World.reject, REJECTED),
        (_approved, World.submit, APPROVED),
        (_approved, World.withdraw, APPROVED),
        (_approved, World.approve, APPROVED),
        (_approved, World.reject, APPROVED),
    ],
)
async def test_steps_that_a_state_refuses(manual: World, arrive: Any, step: Any, state: ReviewState) -> None:
    await arrive(manual)
    refusal = await refusal_of(step(manual))
    assert refusal.reason is Reason.TEMPLATE_REVIEW_STATE
    assert refusal.metadata["review_state"] == state
    assert (await manual.version(1)).review_state is state


async def test_an_older_version_that_is_approved_late_does_not_push_a_newer_one_out(manual: World) -> None:
    await manual.new_template(submit=False)
    await manual.change("Two")
    await manual.approve()
    await manual.submit(1)
    assert stands(await manual.approve(1)) == (2, APPROVED, 2)
    assert (await manual.version(1)).review_state is APPROVED
    assert await manual.subject_sent() == "Two"


@pytest.mark.parametrize("reason", ["", "x" * 501, "a\0b"])
async def test_a_rejection_says_why(manual: World, reason: str) -> None:
    await manual.new_template()
    refusal = await refusal_of(manual.reject(reason=reason))
    assert [violation.field for violation in refusal.violations] == ["reason"]


async def test_an_unknown_version_is_not_found(manual: World) -> None:
    await manual.new_template()
    refusal = await refusal_of(manual.approve(2))
    assert (refusal.reason, refusal.metadata["version"]) == (Reason.TEMPLATE_VERSION_NOT_FOUND, "2")


async def test_e2_foreign_and_platform_templates_are_not_reviewed(manual: World) -> None:
    await manual.new_template()
    await manual.new_template(template("shared"), OPERATOR)
    approve, reviews = manual.reviews.approve, manual.store
    foreign = reviews.write(approve, STRANGER, None, "welcome")
    platform = reviews.write(approve, REVIEWER, None, "shared")
    assert (await refusal_of(foreign)).reason is Reason.TEMPLATE_NOT_FOUND
    assert (await refusal_of(platform)).reason is Reason.TEMPLATE_NOT_FOUND
