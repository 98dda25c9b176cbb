"""What a rendering may still do, and the errors that end one."""

from __future__ import annotations

from liquid.exceptions import LiquidError

from postroom_server.message.liquid.limits import MAX_LOOP, MAX_WORK

_CHARACTERS_A_STEP = 256


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

    __slots__ = ("_iterations", "_limit", "_steps")

    def __init__(self, steps: int = MAX_WORK, iterations: int = MAX_LOOP) -> None:
        self._limit = steps
        self._steps = steps
        self._iterations = iterations

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
        """Pays for looking at a whole value."""
        if isinstance(value, str):
            self.spend(1 + len(value) // _CHARACTERS_A_STEP)
        elif isinstance(value, (list, tuple)):
            texts = sum(len(item) for item in value if isinstance(item, str))
            self.spend(1 + len(value) + texts // _CHARACTERS_A_STEP)
        elif isinstance(value, dict):
            self.spend(1 + 8 * len(value))
        else:
            self.spend(1)

    def loop(self, length: int) -> None:
        """Pays for a loop before it begins."""
        self._iterations -= length
        if self._iterations < 0:
            raise TooMuchWork(f"goes through loops more than {MAX_LOOP} times")
        self.spend(length)
