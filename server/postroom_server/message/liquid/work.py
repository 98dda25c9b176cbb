"""What a rendering may still do, and the errors that end one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from liquid.exceptions import LiquidError

from postroom_server.message.liquid.limits import MAX_LOOP, MAX_WORK

CHARACTERS_A_STEP = 256  # of a text that is read or written
_COMPARISONS_A_STEP = 4096  # of characters, where one text is looked for in another
_NUMBERS_A_STEP = 64  # of a range, which has none of them until it is gone through
_MANY = (list, tuple, dict)


class RenderProblem(LiquidError):  # noqa: N818 - named after what was found
    """A template cannot go on with these values."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem, token=None)
        self.problem = problem


class NoValue(RenderProblem):
    """A template takes a value that is not there. `path` is what it calls it."""

    def __init__(self, path: str) -> None:
        super().__init__(f"{path} has no value")
        self.path = path


class TooMuchWork(RenderProblem):
    """A template does more than it may."""


class Work:
    """The steps and loop iterations that are left to one rendering, all its parts together."""

    __slots__ = ("_costs", "_iterations", "_limit", "_steps")

    def __init__(self, steps: int = MAX_WORK, iterations: int = MAX_LOOP) -> None:
        self._limit = steps
        self._steps = steps
        self._iterations = iterations
        # By identity, with the value itself, so that no other one takes its place in memory. Nothing changes
        # a list or an object while a template is rendered.
        self._costs: dict[int, tuple[object, int]] = {}

    @property
    def done(self) -> int:
        """How many steps it took so far."""
        return self._limit - self._steps

    @property
    def is_spent(self) -> bool:
        """Whether it took more steps than there were."""
        return self._steps < 0

    def spend(self, steps: int) -> None:
        self._steps -= steps
        if self._steps < 0:
            raise TooMuchWork(f"takes more than {self._limit} steps of work")

    def spend_on(self, value: object) -> None:
        """Pays for looking at a whole value, with all that is inside of it."""
        self.spend(self.cost(value))

    def spend_on_items(self, items: Sequence[object]) -> None:
        """Pays for looking at the items of a list, but not at what is inside of them."""
        texts = sum(len(item) for item in items if isinstance(item, str))
        self.spend(1 + len(items) + texts // CHARACTERS_A_STEP)

    def spend_on_search(self, text: str, sought: str) -> None:
        """Pays for looking for a text in another: where both are long, each character may meet many."""
        self.spend(1 + len(text) // CHARACTERS_A_STEP + len(text) * len(sought) // _COMPARISONS_A_STEP)

    def spend_on_equality(self, left: object, right: object, times: int = 1) -> None:
        """Pays for comparing two values, which goes no further than the smaller one."""
        if isinstance(left, _MANY) and isinstance(right, _MANY):
            self.spend(times * min(self.cost(left), self.cost(right)))
        elif isinstance(left, str) and isinstance(right, str):
            self.spend(times * (1 + min(len(left), len(right)) // CHARACTERS_A_STEP))
        else:
            # A text is searched for what is not blank; a list is not looked into.
            texts = sum(len(each) for each in (left, right) if isinstance(each, str))
            self.spend(times * (1 + texts // CHARACTERS_A_STEP))

    def cost(self, value: object) -> int:
        """What it takes to look at a whole value, in steps."""
        if isinstance(value, str):
            return 1 + len(value) // CHARACTERS_A_STEP
        if isinstance(value, range):
            return 1 + len(value) // _NUMBERS_A_STEP
        if not isinstance(value, _MANY):
            return 1
        known = self._costs.get(id(value))
        if known is not None:
            return known[1]
        cost = 1
        if isinstance(value, dict):
            cost += sum(len(name) for name in value) // CHARACTERS_A_STEP + len(value)
            inside: Iterable[object] = value.values()
        else:
            inside = value
        for each in inside:
            cost += self.cost(each)
        self._costs[id(value)] = value, cost
        return cost

    def loop(self, length: int) -> None:
        """Pays for a loop before it begins."""
        self._iterations -= length
        if self._iterations < 0:
            raise TooMuchWork(f"goes through loops more than {MAX_LOOP} times")
        self.spend(length)
