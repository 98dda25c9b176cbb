"""What the parameters of add and update say about a template."""

from __future__ import annotations

import dataclasses
from typing import Self

from postroom.v1 import template_pb2
from postroom_server.gateway.sendcloud.codes import HTML, IS_SUBMIT_AUDIT, NAME, SUBJECT, TEMPLATE_TYPE, TEXT
from postroom_server.gateway.sendcloud.fields import Reading
from postroom_server.gateway.sendcloud.shown import TYPES, default_variant

_SUBMITS = {"0": False, "1": True}
_ANYTHING = "-"


@dataclasses.dataclass(frozen=True, slots=True)
class Form:
    """None: absent, or faulty and noted by the reading."""

    invoke_name: str | None
    kind: template_pb2.TemplateKind | None
    name: str | None
    subject: str | None
    html: str | None
    text: str | None
    submit: bool | None

    @classmethod
    def of(cls, reading: Reading) -> Self:
        return cls(
            invoke_name=reading.invoke_name(),
            kind=reading.choice(TEMPLATE_TYPE, TYPES),
            name=reading.text(NAME),
            subject=reading.text(SUBJECT),
            html=reading.text(HTML),
            text=reading.text(TEXT),
            submit=reading.choice(IS_SUBMIT_AUDIT, _SUBMITS),
        )

    def new_template(self) -> template_pb2.Template:
        """The template to add. In the place of what is faulty stands something that nobody objects to."""
        variant = template_pb2.Variant(
            subject=self.subject or _ANYTHING, html=self.html or _ANYTHING, text=self.text or ""
        )
        return template_pb2.Template(
            invoke_name=self.invoke_name or _ANYTHING,
            name=self.name or _ANYTHING,
            kind=self.kind or template_pb2.TEMPLATE_KIND_UNSPECIFIED,
            content=template_pb2.TemplateContent(variants=[variant]),
        )

    def change(self, template: template_pb2.Template) -> list[str]:
        """Puts what is given into a stored template, and returns the paths of what that touched."""
        paths = []
        if self.name is not None:
            template.name = self.name
            paths.append("name")
        if self.kind is not None:
            template.kind = self.kind
            paths.append("kind")
        texts = {"subject": self.subject, "html": self.html, "text": self.text}
        given = {part: text for part, text in texts.items() if text is not None}
        if given:
            # The other languages stay as they are: this API cannot name them.
            variant = template.content.variants[default_variant(template)]
            for part, text in given.items():
                setattr(variant, part, text)
            paths.append("content.variants")
        return paths
