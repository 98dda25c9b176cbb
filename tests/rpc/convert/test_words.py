"""What the store says in words, the contract says in enums: every word has its value."""

from __future__ import annotations

import enum
from typing import Any

import pytest

from postroom.v1 import email_pb2, event_pb2
from postroom_server.mail.email_record import Failure, View
from postroom_server.rpc.convert import email_out
from postroom_server.rpc.convert.events import event_filter_of
from postroom_server.store.history import Kind
from postroom_server.store.models import DeliveryState, EmailState, RecipientState, Role

VOCABULARIES: list[tuple[dict[str, Any], type[enum.StrEnum]]] = [
    (email_out.EMAIL_STATES, EmailState),
    (email_out.RECIPIENT_STATES, RecipientState),
    (email_out._DELIVERY_STATES, DeliveryState),
    (email_out._ROLES, Role),
    (email_out._FAILURES, Failure),
]


@pytest.mark.parametrize(("words", "vocabulary"), VOCABULARIES)
def test_both_sides_know_the_same_words(words: dict[str, Any], vocabulary: type[enum.StrEnum]) -> None:
    assert set(words) - {"UNSPECIFIED"} == {word.value for word in vocabulary}


@pytest.mark.parametrize("kind", list(Kind))
def test_every_kind_of_event_can_be_asked_for(kind: Kind) -> None:
    number = event_pb2.EventKind.Value(f"EVENT_KIND_{kind.value}")
    wanted = event_filter_of(event_pb2.EventFilter(kinds=[number]))
    assert wanted.kinds == {kind.value}
    assert wanted.violations() == []


def test_every_kind_of_the_contract_can_be_asked_for() -> None:
    wanted = event_filter_of(event_pb2.EventFilter(kinds=event_pb2.EventKind.values()[1:]))
    assert wanted.violations() == []


@pytest.mark.parametrize(("number", "view"), [(0, View.DETAIL), (1, View.BASIC), (2, View.DETAIL), (3, None)])
def test_a_view_is_the_default_unless_named(number: int, view: View | None) -> None:
    asked: Any = number
    assert email_out.view_of(asked, View.DETAIL) is view
    assert email_out.view_of(email_pb2.EMAIL_VIEW_UNSPECIFIED, View.BASIC) is View.BASIC
