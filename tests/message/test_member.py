"""A member of an audience as templates of both syntaxes read them."""

from __future__ import annotations

import pytest

from postroom_server.message.compiling import compile_template
from postroom_server.message.content import Content
from postroom_server.message.member import is_member_path, names_in, with_member

ANN = {"name": "Ann", "home": {"city": "Ulm", "street": {"number": 7}}, "orders": [{"id": 1}], "user_id": 42}


@pytest.mark.parametrize(
    ("path", "is_one"),
    [
        ("member", True), ("member.name", True), ("member.orders[].id", True), ("member[0]", True),
        ("members", False), ("member_name", False), ("Member.name", False), ("x.member.name", False),
    ],
)  # fmt: skip
def test_whose_a_variable_is(path: str, is_one: bool) -> None:
    assert is_member_path(path) is is_one


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        ([], set()),
        (["name", "order.id"], set()),
        (["member.name", "what", "member.name"], {"name"}),
        (["member.home.city"], {"home", "home.city"}),
        (["member.orders[].id", "member.orders[2]"], {"orders"}),
        (["member"], None),
        (["member.name", "member"], None),
        (["member[0]"], None),
    ],
)
def test_what_of_a_member_is_read(paths: list[str], names: set[str] | None) -> None:
    found = names_in(paths)
    assert found == (None if names is None else frozenset(names))


def test_both_syntaxes_read_the_same_member() -> None:
    params = with_member({}, ANN)
    paths = ("member.name", "member.home.city", "member.home.street.number", "member.user_id")
    percent = " ".join(f"%{path}%" for path in paths)
    liquid = " ".join(f"{{{{ {path} }}}}" for path in paths)
    for syntax, text in ("PERCENT", percent), ("LIQUID", liquid):
        compiled = compile_template(Content("Hi", text=text), (), syntax)
        assert compiled.faults(params).missing == []
        assert compiled.render(params).text.strip() == "Ann Ulm 7 42"


def test_the_member_wins_over_what_a_caller_gives() -> None:
    params = {"member": "me", "member.name": "me", "member.orders": 1, "name": "mine"}
    merged = with_member(params, ANN)
    assert (merged["member.name"], merged["member"], merged["name"]) == ("Ann", ANN, "mine")
    assert merged["member.orders"] == ANN["orders"]
    assert params["member.name"] == "me"


def test_without_a_member_the_parameters_are_the_callers() -> None:
    params = {"member.name": "me"}
    assert with_member(params, None) is params


def test_of_two_that_go_by_one_name_the_shorter_way_counts() -> None:
    assert with_member({}, {"a.b": 1, "a": {"b": 2}})["member.a.b"] == 1


def test_what_nests_without_end_is_flattened_so_far() -> None:
    deep: dict[str, object] = {}
    for _ in range(100):
        deep = {"a": deep}
    merged = with_member({}, deep)
    assert "member" + ".a" * 17 in merged
    assert "member" + ".a" * 18 not in merged
