"""PERCENT: which places are variables, and one pass over them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom_server.message import percent


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", ()),
        ("Hello %name%, your code is %code%. %name%!", ("name", "code")),
        ("width:100%;height:50%", ()),
        ("100% of %x%", ("x",)),
        ("%a%b%", ("a",)),
        ("%a%%b%", ("a", "b")),
        ("%%a%%", ("a",)),
        ("% name%", ()),
        ("%1a%", ()),
        ("%_a-b.c9%", ("_a-b.c9",)),
        ("%姓名%", ()),
        ("%" + "n" * 64 + "%", ("n" * 64,)),
        ("%" + "n" * 65 + "%", ()),
        # percent-encoded octets
        ("?q=%E4%BD%A0", ()),
        ("?q=%E4%BD%A0&r=%E5%A5%BD", ()),
        ("?q=%e4%bd%a0%name%", ("name",)),
        ("%ab%", ()),
        ("%abc%", ("abc",)),
        ("%20%date%", ()),
        ("%20%name%", ("name",)),
        ("%date%", ("date",)),
        (" %date% %C3%added%", ("date",)),
        # the octet in front belongs to a variable that ends there
        ("%foo%20%adx%", ("foo", "adx")),
        ("%foo%%adx%", ("foo", "adx")),
        # system variables
        ("%%user_defined_unsubscribe_link%%", ()),
        ("%%%user_defined_unsubscribe_link%%%", ()),
        ("%user_defined_unsubscribe_link%", ("user_defined_unsubscribe_link",)),
        ("%a%%%user_defined_unsubscribe_link%%%b%", ("a", "b")),
    ],
)
def test_names_are_discovered_from_left_to_right(text: str, names: tuple[str, ...]) -> None:
    assert percent.discover(text) == names


def test_a_literal_name_is_passed_over_and_gives_back_its_end() -> None:
    assert percent.discover("%a%b%", literal={"a"}) == ("b",)


@pytest.mark.parametrize(
    ("text", "values", "rendered"),
    [
        ("Hello %name%", {"name": "Li"}, "Hello Li"),
        ("%a%%b%", {"a": "1", "b": "2"}, "12"),
        ("%%a%%", {"a": "1"}, "%1%"),
        ("%a%b%", {"a": "1", "b": "2"}, "1b%"),
        ("%x%b%", {"b": "2"}, "%x2"),
        ("100%;50%a%", {"a": "!"}, "100%;50!"),
        ("%E4%BD%A0", {"BD": "!"}, "%E4!A0"),
    ],
)
def test_known_names_are_replaced_and_all_else_stays(
    text: str, values: dict[str, str], rendered: str
) -> None:
    assert percent.compile(text, values.keys()).render(values) == rendered


def test_a_supplied_name_is_a_variable_of_that_rendering_only() -> None:
    compiled = percent.compile("%a% %ab% %x%", {"a"})

    assert compiled.render({"a": "1"}) == "1 %ab% %x%"
    assert compiled.render({"a": "1", "ab": "2"}) == "1 2 %x%"
    assert compiled.render({"a": "1", "zz": "9"}) == "1 %ab% %x%"


def test_a_literal_name_stays_whoever_supplies_it() -> None:
    compiled = percent.compile("%a% %b% %c%", {"a"}, literal={"b"})

    assert compiled.render({"a": "1", "b": "2"}) == "1 %b% %c%"
    assert compiled.render({"a": "1", "b": "2", "c": "3"}) == "1 %b% 3"


def test_b4_values_are_not_read_again() -> None:
    values = {"a": "%b%", "b": "%a%", "c": "%%user_defined_unsubscribe_link%%", "d": "%", "e": "b"}
    compiled = percent.compile("%a% %b% %c% %d%%e%%d%", values)

    assert compiled.render(values) == "%b% %a% %%user_defined_unsubscribe_link%% %b%"


def test_the_system_comes_first_and_no_parameter_takes_its_place() -> None:
    key = percent.system_key("user_defined_unsubscribe_link")
    compiled = percent.compile("%%user_defined_unsubscribe_link%%", {"user_defined_unsubscribe_link"})

    assert (
        compiled.render({"user_defined_unsubscribe_link": "mine", key: "https://x.example/u"})
        == "https://x.example/u"
    )
    assert not percent.is_name(key)


def test_an_absent_value_is_an_error_not_a_hole() -> None:
    with pytest.raises(KeyError):
        percent.compile("%a%", {"a"}).render({})


_TEXT = st.lists(
    st.sampled_from(["%", "%%", "a", "b", "ab", "E4", "BD", "x", " ", "20", "user_defined_unsubscribe_link"])
).map("".join)


def _slow(text: str, values: dict[str, str], system: dict[str, str]) -> str:
    """The same rule, read off the design one character at a time."""
    out = ""
    while text:
        for key, value in system.items():
            if text.startswith(f"%%{key}%%"):
                out, text = out + value, text[len(key) + 4 :]
                break
        else:
            for key, value in values.items():
                if text.startswith(f"%{key}%"):
                    out, text = out + value, text[len(key) + 2 :]
                    break
            else:
                out, text = out + text[0], text[1:]
    return out


@given(_TEXT, st.dictionaries(st.sampled_from(["a", "b", "ab", "E4", "BD", "x", "xa"]), _TEXT), st.booleans())
def test_rendering_equals_the_rule_read_slowly(text: str, values: dict[str, str], known: bool) -> None:
    system = {"user_defined_unsubscribe_link": "U"}
    compiled = percent.compile(text, values if known else ())

    rendered = compiled.render({**values, **{percent.system_key(k): v for k, v in system.items()}})

    assert rendered == _slow(text, values, system)


@given(_TEXT)
def test_every_discovered_name_is_a_candidate_and_has_a_place(text: str) -> None:
    names = percent.discover(text)

    assert set(names) <= percent.candidates(text)
    assert {place.key for place in percent.places(text, names, ())} == set(names)
