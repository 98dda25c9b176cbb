"""One language variant of a LIQUID template, compiled: what it needs, and what it says with parameters."""

from __future__ import annotations

import html as entities
from collections.abc import Iterable, Mapping
from typing import NamedTuple, NoReturn

from liquid.exceptions import LiquidError
from liquid.template import BoundTemplate

from postroom_server.message import links
from postroom_server.message.content import MAX_PART_OCTETS, Content, Rendered, checked_subject
from postroom_server.message.liquid import constants, paths, placement, system_object
from postroom_server.message.liquid.context import Context
from postroom_server.message.liquid.discovery import discover
from postroom_server.message.liquid.environment import line_of, nodes, parse
from postroom_server.message.liquid.limits import MAX_TAGS, MAX_WORK
from postroom_server.message.liquid.nodes import Cycled, Shown
from postroom_server.message.liquid.page import Page
from postroom_server.message.liquid.shape import Fit, Shape, fit
from postroom_server.message.liquid.source import BadSource
from postroom_server.message.liquid.undefined import ABSENT
from postroom_server.message.liquid.uses import Uses
from postroom_server.message.liquid.work import NoValue, RenderProblem, TooMuchWork, Work
from postroom_server.message.placement import Problem
from postroom_server.message.plaintext import text_from_html
from postroom_server.message.unsafe import UnsafeContent
from postroom_server.message.variable import (
    BadTemplate,
    FailedRendering,
    Faults,
    InvalidValue,
    MissingVariables,
    TakesLong,
    Variable,
)
from postroom_server.message.variable_types import VariableType

_NOTHING: Mapping[str, str] = {}
# Rendering that takes this long is better done beside the loop: some two milliseconds.
_SLOW_STEPS = 500


class _Pages(NamedTuple):
    """What was rendered. A text that is to be derived is None."""

    subject: str
    html: str | None
    text: str | None


class LiquidTemplate:
    """A variant parsed once and rendered many times. Callers may cache and share it between threads.

    `variables` has the declared ones in their order, then the discovered ones in order of appearance.
    """

    def __init__(self, content: Content, declared: Iterable[Variable] = ()) -> None:
        """Raises BadTemplate for a part that cannot be read, or does not fit what is declared."""
        declared = tuple(declared)
        self.content = content
        self.length = sum(len(part or "") for part in (content.subject, content.html, content.text))
        self._parts: dict[str, BoundTemplate] = {}
        self._printed: dict[str, set[str]] = {}
        self.place_count = 0
        uses = Uses()
        for field in ("subject", "html", "text"):
            source = getattr(content, field)
            if source:
                self._add(field, source, uses)
        self._shape = uses.shape(declared)
        found = [(paths.spell(steps), shape) for steps, shape in self._shape.walk()]
        for name, shape in found:
            _refuse_other_type(name, shape, declared)
        self._shape.apply(declared)
        self.variables = (*declared, *_discovered(found, declared))
        self._raw = frozenset(variable.name for variable in declared if variable.raw)
        html = self._parts.get("html")
        self._problems = [] if html is None else placement.place(html, self._raw)
        for field, part in self._parts.items():
            self._problems.extend(constants.problems(part, field))
        self._longest = 0  # rendering so far, in steps

    def _add(self, field: str, source: str, uses: Uses) -> None:
        try:
            part = self._parts[field] = parse(source)
            self._printed[field] = discover(part, uses)
        except BadSource as error:
            raise BadTemplate(field, str(error)) from None
        self.place_count += sum(isinstance(node, (Shown, Cycled)) for node in nodes(part.nodes))
        if self.place_count > MAX_TAGS:
            raise BadTemplate(field, f"values stand in more than {MAX_TAGS} places")

    @property
    def is_slow(self) -> bool:
        """Whether it has taken so long that it should not be rendered where others wait."""
        return self._longest > _SLOW_STEPS

    @property
    def is_checked_by_rendering(self) -> bool:
        """It is: what a template makes of its values is known only then."""
        return True

    def shows(self, name: str, *, own_subject: bool = True) -> bool:
        """Whether readers see the value of `name`, whatever they read: the page, or the text, or the subject.

        `own_subject` False: the caller has another one.
        """
        if own_subject and name in self._printed["subject"]:
            return True
        return all(name in self._printed[part] for part in ("html", "text") if part in self._printed)

    def problems(self) -> list[Problem]:
        """What HTML cannot hold, or takes too much work with any values: a template with any is not saved."""
        return self._problems

    def faults(self, params: Mapping[str, object]) -> Faults:
        """All of the three below, at once."""
        fitted = self._fit(params)
        return Faults(fitted.missing, fitted.unknown, fitted.invalid)

    def missing(self, params: Mapping[str, object]) -> list[str]:
        """The places of all required values that `params` lacks; null counts as no value."""
        return self._fit(params).missing

    def unused(self, params: Mapping[str, object]) -> list[str]:
        """The places in `params` that this variant does not know."""
        return self._fit(params).unknown

    def invalid(self, params: Mapping[str, object]) -> dict[str, str]:
        """The places of the values that are not of their types, each with what is wrong with it."""
        return self._fit(params).invalid

    def render(self, params: Mapping[str, object], system: Mapping[str, str] = _NOTHING) -> Rendered:
        """Renders all parts: escaped in HTML unless raw, plain in subject and text.

        `system` goes by the names of PERCENT. Raises MissingVariables, InvalidValue, FailedRendering
        when the template cannot go on with these values or takes too much work, and UnsafeContent as PERCENT.
        """
        return self._whole(self._render(params, system, Work()))

    def sketch(self, params: Mapping[str, object], system: Mapping[str, str] = _NOTHING) -> Rendered:
        """Renders with nothing in the place of what is missing or of a wrong type, as far as that goes."""
        return self._whole(self._pages(fit(self._shape, params, ABSENT, gap=ABSENT), system, Work()))

    def check(
        self, params: Mapping[str, object], system: Mapping[str, str] = _NOTHING, *, steps: int | None = None
    ) -> int:
        """Raises what `render` would raise; that is known only when all has been rendered.

        Returns how many steps that took. `steps` limits them further: TakesLong when they do not do.
        """
        work = Work() if steps is None else Work(min(steps, MAX_WORK))
        try:
            self._render(params, system, work)
        except FailedRendering as error:
            if steps is not None and steps < MAX_WORK and work.is_spent:
                raise TakesLong(error.field, error.problem) from None
            raise
        return work.done

    def _render(self, params: Mapping[str, object], system: Mapping[str, str], work: Work) -> _Pages:
        fitted = self._fit(params)
        if fitted.missing:
            raise MissingVariables(fitted.missing)
        for name, problem in fitted.invalid.items():
            raise InvalidValue(name, problem)
        return self._pages(fitted, system, work)

    def _pages(self, fitted: Fit, system: Mapping[str, str], work: Work) -> _Pages:
        fitted.data[system_object.ROOT] = system_object.data(system, ABSENT)
        try:
            subject = checked_subject(self._page("subject", fitted, work).getvalue())
            html = None
            if "html" in self._parts:
                page = self._page("html", fitted, work)
                html = page.getvalue()
                _check_links(page, html)
            text = self._page("text", fitted, work).getvalue() if "text" in self._parts else None
        finally:
            self._longest = max(self._longest, work.done)
        return _Pages(subject, html, text)

    def _whole(self, pages: _Pages) -> Rendered:
        text = text_from_html(pages.html or "") if pages.text is None else pages.text
        return Rendered(pages.subject, pages.html, text)

    def _fit(self, params: Mapping[str, object]) -> Fit:
        return fit(self._shape, params, ABSENT)

    def _page(self, field: str, fitted: Fit, work: Work) -> Page:
        template = self._parts[field]
        page = Page(work, MAX_PART_OCTETS, is_html=field == "html")
        try:
            template.render_with_context(Context(template, fitted.data, work), page)  # type: ignore[arg-type]
        except NoValue as error:
            raise MissingVariables((error.path,)) from None
        except LiquidError as error:
            _fail(field, error)
        except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
            # python-liquid lets through what Python says of values that it did not think of.
            problem = f"cannot be rendered with these values: {type(error).__name__}"
            raise FailedRendering(field, problem) from error
        return page


def _fail(field: str, error: LiquidError) -> NoReturn:
    where = f"in line {line_of(error.token)} "
    problem = (
        error.problem if isinstance(error, RenderProblem) else " ".join(str(error.message).split())[:200]
    )
    if isinstance(error, TooMuchWork):
        where = ""
    raise FailedRendering(field, f"{where}{problem}") from None


def _check_links(page: Page, html: str) -> None:
    """Looks at each address that a value begins (security.md B3): up to the quote that ends it."""
    checked = 0
    for at, quote in page.links:
        if at < checked:
            # Another value in the same address.
            continue
        start = html.rfind(quote, 0, at) + 1
        end = html.find(quote, at)
        checked = end if end >= 0 else len(html)
        scheme = links.unsafe_scheme(entities.unescape(html[start:checked]))
        if scheme is not None:
            raise UnsafeContent("html", f"has a link that begins with {scheme[:40]}:")


def _refuse_other_type(name: str, found: Shape, declared: Iterable[Variable]) -> None:
    """Refuses a declaration that the template's own use of the variable cannot hold to."""
    for variable in declared:
        if variable.name != name or not variable.type or not variable.declared:
            continue
        is_list_or_object = bool(found.fields) or found.item is not None
        is_open = found.is_open or variable.type is VariableType.OBJECT
        if is_list_or_object and variable.type not in (VariableType.LIST, VariableType.OBJECT):
            raise BadTemplate(
                "variables", f"{name} is used as {found.type or 'OBJECT'}, not as {variable.type}"
            )
        if found.fields and variable.type is VariableType.LIST and not is_open:
            raise BadTemplate("variables", f"{name} is used as OBJECT, not as LIST")


def _discovered(found: list[tuple[str, Shape]], declared: tuple[Variable, ...]) -> list[Variable]:
    """The variables that nobody declared. A list tells of its items, unless they have a type."""
    names = {variable.name for variable in declared}
    return [
        Variable(name, required=shape.required, type=shape.type)
        for name, shape in found
        if name not in names and not (name.endswith(paths.ITEM) and shape.type in ("", VariableType.OBJECT))
    ]
