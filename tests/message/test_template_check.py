"""What `check` lets pass can be rendered, and what it refuses cannot: it only saves the writing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom_server.message.percent_template import PercentTemplate
from postroom_server.message.template import (
    MAX_PART_OCTETS,
    Content,
    InvalidValue,
    MissingVariables,
    Variable,
)
from postroom_server.message.unsafe import UnsafeContent

PAGE = '<p>%name%</p><a href="%url%">%name%</a><img src="https://x.test/%name%"><b>%raw%</b>'
TEMPLATES = [
    PercentTemplate(Content("Hi %name%", PAGE), [Variable("raw", required=False, raw=True)]),
    PercentTemplate(Content("%name%", None, "%name% %url% %raw%")),
    PercentTemplate(Content("Hi", PAGE, "own text %name%")),
]
VALUES = st.one_of(
    st.sampled_from(["", "Ann", "a\nb", "javascript:alert(1)", "https://x.test", "<b>", "长" * 500]),
    st.just('<a href="data:x">'),
    st.text(max_size=20),
    st.none(),
    st.floats(allow_nan=True),
)  # fmt: skip


def outcome(act: object, params: dict[str, object]) -> object:
    try:
        act(params)  # type: ignore[operator]
    except (UnsafeContent, MissingVariables, InvalidValue) as error:
        return type(error), str(error)
    return None


@given(st.sampled_from(TEMPLATES), st.dictionaries(st.sampled_from(["name", "url", "raw"]), VALUES))
def test_check_and_render_agree(template: PercentTemplate, params: dict[str, object]) -> None:
    assert outcome(template.check, params) == outcome(template.render, params)


@pytest.mark.parametrize("character", ["x", "ä", "长", "🎉"])
@pytest.mark.parametrize("over", [0, 1])
def test_b2_both_measure_parts_in_octets(character: str, over: int) -> None:
    octets = len(character.encode())
    template = PercentTemplate(Content("Hi", None, "x" * (MAX_PART_OCTETS % octets) + "%a%"))
    params = {"a": character * (MAX_PART_OCTETS // octets) + "x" * over}
    refused = (UnsafeContent, f"text: is longer than {MAX_PART_OCTETS} octets") if over else None
    assert outcome(template.check, params) == outcome(template.render, params) == refused


def test_what_raw_values_bring_does_not_judge_the_author() -> None:
    # The author's own addresses may be of more kinds than a value's.
    page = '<a href="tel:+49">call</a><p>%raw%</p>'
    template = PercentTemplate(Content("Hi", page), [Variable("raw", raw=True)])
    params = {"raw": "<b>x</b>"}
    assert outcome(template.check, params) is outcome(template.render, params) is None
    for raw in ('<a href="tel:1">x</a>', "<b", "<!--"):
        assert outcome(template.check, {"raw": raw}) is not None
