"""The nodes of a parsed template that differ from python-liquid's: they count, and they escape.

What `{{ … }}` shows is escaped in the HTML part, texts written in the tag too; only a raw variable stays as
it is. So the author's literal text alone makes the page's markup.
"""

from __future__ import annotations

import html
import re
from typing import Any

from liquid.builtin.content import ContentNode, Literal
from liquid.builtin.output import Output, OutputNode
from liquid.builtin.tags.assign_tag import AssignNode, AssignTag
from liquid.builtin.tags.capture_tag import CaptureNode, CaptureTag
from liquid.builtin.tags.case_tag import CaseNode, CaseTag
from liquid.builtin.tags.cycle_tag import CycleNode, CycleTag
from liquid.builtin.tags.echo_tag import EchoTag
from liquid.builtin.tags.for_tag import ForNode, ForTag
from liquid.builtin.tags.if_tag import IfNode, IfTag
from liquid.builtin.tags.unless_tag import UnlessNode, UnlessTag
from liquid.tag import Tag
from liquid.undefined import Undefined

from postroom_server.message import links, markup
from postroom_server.message.liquid.page import Link
from postroom_server.message.liquid.undefined import Absent
from postroom_server.message.liquid.work import NoValue, RenderProblem
from postroom_server.message.liquid.written import Raw, text_of_value

__all__ = ["TAGS"]

_MARKUP = re.compile("[<&\"']")
_MARKUP_A_STEP = 16  # characters; each tag and attribute is cut out and looked at besides


def show(value: object, node: Any, page: Any) -> int:
    """Writes a value into a page. `node` says where it stands: its `link_quote` and `holds_markup`."""
    if isinstance(value, Undefined):
        if not isinstance(value, Absent):
            raise NoValue(value.name)
        text = ""
    elif value is None:
        raise RenderProblem("shows a value that is not there")
    elif page.is_html and isinstance(value, Raw):
        return _show_raw(value, node, page)
    else:
        try:
            text = text_of_value(value)
        except ValueError as error:
            raise RenderProblem(f"shows a value that {error}") from None
    if page.is_html:
        if node.link_quote:
            page.links.append(Link(page.length, node.link_quote))
        text = html.escape(text)
    written: int = page.write(text)
    return written


def _show_raw(value: Raw, node: Any, page: Any) -> int:
    """Markup of a caller's: whole by itself, and only where markup may stand (security.md B3)."""
    text = str(value)
    page.pay(len(text) // _MARKUP_A_STEP + text.count("<") + text.count("="))
    if _MARKUP.search(text):
        if not node.holds_markup:
            raise RenderProblem("shows a raw value inside a tag")
        if not markup.is_whole(text):
            raise RenderProblem("shows a raw value that ends inside a tag or a comment")
        scheme = links.first_unsafe(text)
        if scheme is not None:
            raise RenderProblem(f"shows a raw value with a link that begins with {scheme[:40]}:")
    elif node.link_quote:
        page.links.append(Link(page.length, node.link_quote))
    written: int = page.write(text)
    return written


class _Counted:
    """A node that pays for each time it is rendered."""

    __slots__ = ()

    def render(self, context: Any, buffer: Any) -> int:
        context.work.spend(1)
        rendered: int = self.render_to_output(context, buffer)  # type: ignore[attr-defined]
        return rendered


def _counted(node: type[Any]) -> type[Any]:
    return type(f"Counted{node.__name__}", (_Counted, node), {"__slots__": ()})


CountedAssign = _counted(AssignNode)


class Shown(_Counted, OutputNode):
    """`{{ … }}` and `{% echo … %}`. Placement says where it stands, once, when the template is compiled."""

    __slots__ = ("holds_markup", "link_quote")

    def __init__(self, token: Any, expression: Any) -> None:
        super().__init__(token, expression)
        self.link_quote = ""
        self.holds_markup = False

    def render_to_output(self, context: Any, buffer: Any) -> int:
        return show(self.expression.evaluate(context), self, buffer)


class Cycled(_Counted, CycleNode):
    """`{% cycle … %}`, counted by the text of its tag, or by the group it names."""

    __slots__ = ("holds_markup", "link_quote")

    def __init__(self, token: Any, group: Any, args: Any) -> None:
        super().__init__(token, group, args)
        self.link_quote = ""
        self.holds_markup = False

    def render_to_output(self, context: Any, buffer: Any) -> int:
        context.work.spend(len(self.args))
        key = str(self) if self.group is None else text_of_value(self.group.evaluate(context))
        args = [arg.evaluate(context) for arg in self.args]
        return show(args[context.cycle(key, len(args))], self, buffer)


class Captured(_Counted, CaptureNode):
    """`{% capture … %}` keeps a text, which is escaped where it is shown like any other."""

    __slots__ = ()

    def render_to_output(self, context: Any, buffer: Any) -> int:
        text = context.get_buffer(buffer)
        self.block.render(context, text)
        context.assign(self.name, text.getvalue())
        return 0


def _making(node: type[Any], tag: type[Tag]) -> type[Tag]:
    """python-liquid's tag, but that it makes nodes of another class."""
    return type(tag.__name__, (tag,), {"node_class": node})


TAGS = (
    _making(_counted(ContentNode), Literal),
    _making(Shown, Output),
    _making(Shown, EchoTag),
    _making(CountedAssign, AssignTag),
    _making(Captured, CaptureTag),
    _making(_counted(IfNode), IfTag),
    _making(_counted(UnlessNode), UnlessTag),
    _making(_counted(CaseNode), CaseTag),
    _making(_counted(ForNode), ForTag),
    _making(Cycled, CycleTag),
)
