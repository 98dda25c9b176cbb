"""Templates as values: what an author asks for, and what is told of a template and its versions."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from postroom_server.clock import Millis
from postroom_server.mail.broken_call import Break
from postroom_server.message.variable_types import VariableType as VariableType
from postroom_server.store.models import ReviewState, Syntax, TemplateKind


@dataclasses.dataclass(frozen=True, slots=True)
class VariantForm:
    """The texts in one language. An empty part is absent."""

    language: str = ""
    subject: str = ""
    html: str = ""
    text: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class VariableForm:
    """A variable. `required` None: unless it has a default. Not `declared`: discovered in the content."""

    name: str
    type: VariableType = VariableType.ANY
    required: bool | None = None
    default: Any = None
    raw: bool = False
    literal: bool = False
    declared: bool = True

    @property
    def says_nothing(self) -> bool:
        """Whether discovery would have said the same, in PERCENT."""
        return (
            self.type is VariableType.ANY
            and self.required is not False
            and self.default is None
            and not self.raw
            and not self.literal
        )


@dataclasses.dataclass(frozen=True, slots=True)
class ContentForm:
    """The content of one version."""

    syntax: Syntax = Syntax.PERCENT
    default_language: str = ""
    variants: tuple[VariantForm, ...] = ()
    variables: tuple[VariableForm, ...] = ()
    sample_params: Mapping[str, Any] | None = None
    validity: Millis | None = None

    @property
    def length(self) -> int:
        """In characters."""
        return sum(len(variant.html) + len(variant.text) for variant in self.variants)


CONTENT_PATHS: Mapping[str, str] = {
    f"content.{field.name}": field.name for field in dataclasses.fields(ContentForm)
}


@dataclasses.dataclass(frozen=True, slots=True)
class TemplateForm:
    """A template as its author asks for it."""

    invoke_name: str
    name: str = ""
    kind: TemplateKind | None = None
    content: ContentForm = ContentForm()


PATHS = frozenset({"name", "kind", "content", *CONTENT_PATHS})


@dataclasses.dataclass(frozen=True, slots=True)
class TemplateRecord:
    """A template and how it stands with its newest version. `content` only where it was asked for."""

    id: int
    tenant_id: int
    invoke_name: str
    name: str
    kind: TemplateKind
    version: int
    review_state: ReviewState
    approved_version: int  # 0: none
    author: str
    create_time: Millis
    update_time: Millis
    content: ContentForm | None
    # What callers sent and would now be refused, where that was allowed.
    breaks: tuple[Break, ...] = dataclasses.field(default=(), compare=False)


@dataclasses.dataclass(frozen=True, slots=True)
class VersionRecord:
    """One version and its review."""

    version: int
    name: str
    kind: TemplateKind
    review_state: ReviewState
    submit_time: Millis | None
    reviewer: str
    review_time: Millis | None
    review_reason: str
    author: str
    create_time: Millis
    restored_version: int  # 0: it is no restoration
    content: ContentForm | None
