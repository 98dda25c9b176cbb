"""Where values and conditions stand in the HTML of a LIQUID template (security.md B3).

The literal text is followed through conditions and loops as a browser would read it. Several ways may lead to
one place; it must be a good one on each of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from liquid.ast import Node
from liquid.builtin.content import ContentNode
from liquid.builtin.expressions import Path
from liquid.builtin.tags.capture_tag import CaptureNode
from liquid.builtin.tags.case_tag import CaseNode, MultiExpressionBlockNode
from liquid.builtin.tags.cycle_tag import CycleNode
from liquid.builtin.tags.for_tag import BreakNode, ContinueNode, ForNode
from liquid.builtin.tags.if_tag import IfNode
from liquid.builtin.tags.unless_tag import UnlessNode
from liquid.template import BoundTemplate

from postroom_server.message.links import URL_ATTRIBUTES, is_settled, refuses_values, unsafe_scheme
from postroom_server.message.liquid.environment import children, filters, line_of
from postroom_server.message.liquid.nodes import Shown
from postroom_server.message.markup_state import IN_TAG, START, Mode, State, after, after_value
from postroom_server.message.placement import Problem

_MOST_STATES = 64
_MOST_STEPS = 100_000
_CHARACTERS_A_STEP = 1024
_MARKUP = re.compile(r"<[A-Za-z/!?]")
_States = frozenset[State]


class LiquidProblem(Problem):
    """A tag in a place where what it makes could not be held."""

    def __str__(self) -> str:
        return f"{self.name} in line {self.line} {self.description}"


def place(template: BoundTemplate, raw: Iterable[str] = ()) -> list[Problem]:
    """Lists what stands where it may not, and tells every other value where it stands.

    `raw` are names that are shown as they are; which of a loop's items are is known when it is rendered.
    """
    reader = _Reader(frozenset(raw))
    try:
        states = reader.flow(template.nodes, frozenset({START})).on
    except _TooManyWays:
        return [LiquidProblem("the page", 1, "has too many conditions that change where its tags stand")]
    if any(state.mode in IN_TAG for state in states):
        reader.find(None, "can end inside a tag")
    # A block may be read several times, and what was found in it be found again.
    return list(dict.fromkeys(reader.problems))


class _Ways(NamedTuple):
    """The states behind a node: of what goes on, of what leaves the loop around it, of its next round."""

    on: _States
    out: _States = frozenset()
    again: _States = frozenset()


class _TooManyWays(Exception):  # noqa: N818 - named after what was found
    """More ways lead through a template than are followed."""


class _Reader:
    def __init__(self, raw: frozenset[str]) -> None:
        self.problems: list[Problem] = []
        self._raw = raw
        self._left = _MOST_STEPS
        self._held: dict[Any, bool] = {}
        # Loops in loops are gone through again and again: once for each set of states is enough.
        self._known: dict[tuple[int, _States], _Ways] = {}

    def find(self, node: Any, description: str) -> None:
        if node is None:
            self.problems.append(LiquidProblem("the page", 1, description))
        else:
            self.problems.append(LiquidProblem(_shown(node), line_of(node.token), description))

    def flow(self, nodes: list[Node], states: _States) -> _Ways:
        """The states behind these nodes; none where every way ends in a break."""
        out: _States = frozenset()
        again: _States = frozenset()
        for node in nodes:
            self._pay(1)
            ways = self._node(node, states)
            states, out, again = ways.on, out | ways.out, again | ways.again
            if len(states | out | again) > _MOST_STATES:
                raise _TooManyWays
        return _Ways(states, out, again)

    def _pay(self, steps: int) -> None:
        self._left -= steps
        if self._left < 0:
            raise _TooManyWays

    def _node(self, node: Any, states: _States) -> _Ways:
        if isinstance(node, ContentNode):
            self._pay(len(states) * len(node.text) // _CHARACTERS_A_STEP)
            return _Ways(after(states, node.text))
        if isinstance(node, (Shown, CycleNode)):
            return _Ways(self._value(node, states))
        if isinstance(node, (IfNode, UnlessNode, CaseNode, ForNode)):
            key = id(node), states
            if key not in self._known:
                self._check_control(node, states)
                self._known[key] = self._control(node, states)
            return self._known[key]
        if isinstance(node, CaptureNode):
            if _MARKUP.search("".join(_literals(children(node.block)))):
                self.find(node, "captures markup, which would be shown as text")
        elif isinstance(node, (BreakNode, ContinueNode)):
            nowhere: _States = frozenset()
            return _Ways(nowhere, states) if isinstance(node, BreakNode) else _Ways(nowhere, nowhere, states)
        return _Ways(states)

    def _control(self, node: Any, states: _States) -> _Ways:
        if isinstance(node, ForNode):
            return self._loop(node, states)
        if isinstance(node, CaseNode):
            return self._case(node, states)
        blocks = [node.consequence, *(each.block for each in node.alternatives)]
        ways = [self.flow(children(block), states) for block in blocks]
        ways.append(_Ways(states) if node.default is None else self.flow(children(node.default), states))
        return _Ways(*(frozenset().union(*each) for each in zip(*ways, strict=True)))

    def _case(self, node: Any, states: _States) -> _Ways:
        """Each block may be rendered any number of times: python-liquid renders every one that fits."""
        out: _States = frozenset()
        again: _States = frozenset()
        for block in node.blocks:
            inner = children(block.block if isinstance(block, MultiExpressionBlockNode) else block)
            while True:
                ways = self.flow(inner, states)
                out, again = out | ways.out, again | ways.again
                if ways.on <= states:
                    break
                states |= ways.on
        return _Ways(states, out, again)

    def _loop(self, node: Any, states: _States) -> _Ways:
        block, out = children(node.block), states
        while True:
            ways = self.flow(block, states)
            out |= ways.out
            if ways.on | ways.again <= states:
                break
            states |= ways.on | ways.again
        if node.default is None:
            return _Ways(states | out)
        instead = self.flow(children(node.default), states)
        return instead._replace(on=states | out | instead.on)

    def _value(self, node: Any, states: _States) -> _States:
        for state in states:
            problem = _problem(state)
            if problem:
                self.find(node, problem)
            elif state.mode is Mode.QUOTED and state.attribute in URL_ATTRIBUTES:
                problem = self._problem_in_address(node, state)
                if problem:
                    self.find(node, problem)
        in_text = all(state.mode in (Mode.TEXT, Mode.PLAIN) for state in states)
        # It may be looked at again with other states; it holds markup if it does so in all of them.
        node.holds_markup = self._held.setdefault(node, True) and in_text
        self._held[node] = node.holds_markup
        if not in_text and _is_plainly(node, self._raw):
            self.find(node, "is raw and stands inside a tag")
        elif not in_text and _breaks_lines(node):
            self.find(node, "makes line breaks and stands inside a tag")
        return after_value(states)

    def _problem_in_address(self, node: Any, state: State) -> str | None:
        if state.written is None or is_settled(state.written):
            return None
        scheme = unsafe_scheme(state.written)
        if scheme:
            return f"stands in an address that begins with {scheme}:"
        if node.link_quote not in ("", state.quote):
            return "stands in addresses in different quotes"
        node.link_quote = state.quote
        return None

    def _check_control(self, node: Any, states: _States) -> None:
        """What a condition chooses there is the author's own text, but nobody reads it as what it is."""
        for state in states:
            if state.mode is Mode.RAW and state.element in ("script", "style"):
                self.find(node, f"stands in <{state.element}>")
            elif state.mode is Mode.UNQUOTED:
                self.find(node, f"stands in the attribute {state.attribute} without quotes")
            elif state.mode is Mode.QUOTED and _is_code(state.attribute):
                self.find(node, f"stands in the attribute {state.attribute}")


def _problem(state: State) -> str | None:
    match state.mode:
        case Mode.RAW if state.element in ("script", "style"):
            return f"stands in <{state.element}>"
        case Mode.RAW | Mode.PLAIN if state.tail:
            return f"stands where <{state.element}> may end"
        case Mode.OPENING:
            return "stands where the name of a tag begins"
        case Mode.UNQUOTED | Mode.BEFORE_VALUE:
            return f"stands in the attribute {state.attribute} without quotes"
        case Mode.QUOTED if _is_code(state.attribute) or refuses_values(
            state.element, state.attribute, state.written
        ):
            return f"stands in the attribute {state.attribute}"
        case Mode.TAG_NAME | Mode.BETWEEN | Mode.ATTRIBUTE_NAME | Mode.AFTER_NAME:
            return "stands in the name of a tag or an attribute"
        case _:
            return None


def _is_code(attribute: str) -> bool:
    return attribute.startswith("on") or attribute == "srcdoc"


def _is_plainly(node: Any, raw: frozenset[str]) -> bool:
    """Whether a node shows one of these names as it is."""
    expression = getattr(node, "expression", None)
    left = getattr(expression, "left", None)
    return isinstance(left, Path) and not filters(expression) and str(left) in raw


def _breaks_lines(node: Any) -> bool:
    """Whether a node shows what `newline_to_br` made: any filter behind that sees the text as it was."""
    used = filters(getattr(node, "expression", None))
    return bool(used) and used[-1].name == "newline_to_br"


def _literals(nodes: list[Node]) -> Iterable[str]:
    for node in nodes:
        if isinstance(node, ContentNode):
            yield node.text
        else:
            yield from _literals(children(node))


def _shown(node: Any) -> str:
    text = str(node).split("%}")[0] + ("%}" if str(node).startswith("{%") else "")
    return text if len(text) <= 60 else f"{text[:57]}..."
