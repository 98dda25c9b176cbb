"""Plain LIQUID templates say what python-liquid's own default environment makes of them."""

from __future__ import annotations

from typing import Any

import liquid
from hypothesis import given
from hypothesis import strategies as st

from postroom_server.message.content import Content
from postroom_server.message.liquid.template import LiquidTemplate
from postroom_server.message.template import Variable
from postroom_server.message.variable_types import VariableType

ORACLE = liquid.Environment()
PARAMS: dict[str, Any] = {
    "name": "Li <&> '\"",
    "n": 3,
    "flag": True,
    "off": False,
    "tags": ["a", "b", "c"],
    "items": [{"t": "x", "p": 2, "on": True}, {"t": "y", "p": 5, "on": False}],
    "o": {"a": "A", "b": {"c": "C"}},
}
LOOSE = [
    Variable("o", type=VariableType.OBJECT, declared=True),
    Variable("tags", type=VariableType.LIST, declared=True),
    *(Variable(name, declared=True) for name in PARAMS if name not in ("o", "tags")),
    *(Variable(f"items[].{name}", declared=True) for name in "tp"),
    Variable("items[].on", declared=True),
]

TEXTS = st.sampled_from(
    ["a", " ", "\n", "<p>", "{ ", "} ", "é", "{{ '{{' }}", "{% raw %}{{ x }}{% endraw %}"]
)
SHOWN = st.sampled_from(
    [
        "{{ name }}",
        "{{ n }}",
        "{{ flag }}",
        "{{ off }}",
        "{{ tags[1] }}",
        "{{ tags.size }}",
        "{{ tags.first }}",
        "{{ tags | last }}",
        "{{ o.b.c }}",
        "{{ o['a'] }}",
        "{{ items[0].t }}",
        "{{ items.last.p | times: 2 }}",
        "{{ name | upcase | append: '!' }}",
        "{{ 'a' | append: name }}",
        "{{ 1.5 }}",
        "{{- name -}}",
        "{% assign v = n | plus: 1 %}{{ v }}",
        "{% capture c %}[{{ name }}]{% endcapture %}{{ c }}",
        "{% cycle 'x', 'y', 'z' %}",
        "{% cycle 'g': 'x', 'y' %}",
        "{% comment %}{{ no }}{% endcomment %}",
        "{% # no %}",
        "{% echo name %}",
        "{{ tags | join: '-' }}",
    ]
)
CONDITIONS = st.sampled_from(
    [
        "flag",
        "off",
        "n > 2",
        "n >= 4",
        "n == 3",
        "n != 3",
        "name contains 'Li'",
        "tags contains 'b'",
        "none",
        "none == nil",
        "flag and off",
        "flag or off",
        "off or n < 2 and flag",
        "name == blank",
        "o.b.c == 'C'",
        "tags == empty",
        "name != empty",
        "flag == true",
        "tags.size == 3",
    ]
)
LOOPS = st.sampled_from(
    [
        "x in tags",
        "x in (1..n)",
        "x in tags reversed",
        "x in tags limit: 2",
        "x in tags offset: 1",
        "x in tags limit: 1 offset: 1",
        "x in (3..1)",
        "x in tags offset: continue",
    ]
)


def _blocks(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    body = st.lists(inner, max_size=3).map("".join)
    return st.one_of(
        st.builds("{{% if {} %}}{}{{% else %}}{}{{% endif %}}".format, CONDITIONS, body, body),
        st.builds(
            "{{% if {} %}}{}{{% elsif {} %}}{}{{% endif %}}".format, CONDITIONS, body, CONDITIONS, body
        ),
        st.builds("{{% unless {} %}}{}{{%- endunless -%}}".format, CONDITIONS, body),
        st.builds(
            "{{% for {} %}}{{{{ x }}}}{{{{ forloop.index }}}}{}{{% else %}}-{{% endfor %}}".format,
            LOOPS,
            body,
        ),
        st.builds(
            "{{% for {} %}}{{% if forloop.last %}}{{% break %}}{{% endif %}}{}{{% endfor %}}".format,
            LOOPS,
            body,
        ),
        st.builds(
            "{{% for i in items %}}{{{{ i.t }}}}{{% unless i.on %}}{{% continue %}}{{% endunless %}}"
            "{}{{% endfor %}}".format,
            body,
        ),
        st.builds("{{% for pair in o %}}{{{{ pair[0] }}}}{}{{% endfor %}}".format, body),
        st.builds(
            "{{% case n %}}{{% when 1, 3 %}}{}{{% when 2 %}}b{{% else %}}{}{{% endcase %}}".format, body, body
        ),
    )


TEMPLATES = st.lists(st.recursive(TEXTS | SHOWN, _blocks, max_leaves=8), max_size=6).map("".join)


@given(TEMPLATES)
def test_plain_templates_say_what_python_liquid_says(source: str) -> None:
    template = LiquidTemplate(Content("s", None, source or "x"), LOOSE)
    assert template.render(PARAMS).text == ORACLE.from_string(source or "x").render(**PARAMS)


@given(TEMPLATES)
def test_the_variables_that_are_found_are_those_python_liquid_finds(source: str) -> None:
    found = {
        variable.name.split(".")[0].split("[")[0]
        for variable in LiquidTemplate(Content("s", None, source)).variables
    }
    expected = set(ORACLE.from_string(source).analyze().globals)
    # A name that may have been assigned before is theirs alone.
    assert found - {"v", "c"} == expected - {"v", "c"}
