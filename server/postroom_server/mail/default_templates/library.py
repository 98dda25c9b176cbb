"""The default templates as template forms, each with the keys that are bound to it, read from contents/."""

from __future__ import annotations

import dataclasses
import tomllib
from importlib.resources import files
from typing import Any

from postroom_server.mail.default_templates.page import Pages
from postroom_server.mail.template_form import (
    ContentForm,
    TemplateForm,
    VariableForm,
    VariableType,
    VariantForm,
)
from postroom_server.store.models import TemplateKind

PREFIX = "postroom."
LANGUAGES = ("en", "zh-CN")  # the first is the default


@dataclasses.dataclass(frozen=True, slots=True)
class DefaultTemplate:
    form: TemplateForm
    biz_keys: tuple[str, ...]


def default_templates() -> tuple[DefaultTemplate, ...]:
    """All of them, by name. Reads some dozen small files."""
    pages = Pages()
    contents = {
        file.name.removesuffix(".toml"): file for file in files(__package__).joinpath("contents").iterdir()
    }
    return tuple(
        _template(name, tomllib.loads(contents[name].read_text(encoding="utf-8")), pages)
        for name in sorted(contents)
    )


def _template(name: str, said: dict[str, Any], pages: Pages) -> DefaultTemplate:
    variants = tuple(
        VariantForm(tag, said[tag]["subject"], pages.page(tag, said["tone"], said[tag])) for tag in LANGUAGES
    )
    # The text part is derived: whoever edits the HTML later need not remember it.
    required = [VariableForm(each, VariableType.STRING, required=True) for each in said["required"]]
    defaults = [
        VariableForm(each, VariableType.STRING, required=False, default=text)
        for each, text in {**said.get("defaults", {}), **pages.defaults}.items()
    ]
    content = ContentForm(
        default_language=LANGUAGES[0],
        variants=variants,
        variables=(*required, *defaults),
        sample_params=said["samples"],
    )
    form = TemplateForm(f"{PREFIX}{name}", said["name"], TemplateKind.TRIGGER, content)
    return DefaultTemplate(form, tuple(said["keys"]))
