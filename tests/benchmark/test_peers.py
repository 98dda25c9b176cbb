"""What cannot be had is absent: nothing is guessed, nothing fails."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from bench import slow_disk
from bench.figures import Chapter
from bench.peers import contender, environment
from bench.peers.contender import Contender
from bench.rendering import JINJA, OURS, rendering
from bench.run import Run


@pytest.fixture
def nothing_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """A checkout without peers, that may fetch none."""
    monkeypatch.setenv(environment.NO_INSTALL, "1")
    monkeypatch.setattr(environment, "_ENVIRONMENT", tmp_path / "environment")
    monkeypatch.setattr(environment, "NODEMAILER", tmp_path / "nodemailer")
    for cached in (environment.python, environment.node):
        cached.cache_clear()
    yield
    for cached in (environment.python, environment.node):
        cached.cache_clear()


@pytest.mark.usefixtures("nothing_installed")
@pytest.mark.parametrize(
    "open_",
    [
        lambda: contender.nodemailer(9, 1, 1),
        lambda: contender.plain_worker(9, 1),
        lambda: contender.post_office(9, 1),
    ],
)
def test_a_peer_whose_program_is_not_there_does_not_take_part(
    open_: Callable[[], AbstractContextManager[Contender | None]],
) -> None:
    with open_() as found:
        assert found is None


@pytest.mark.usefixtures("nothing_installed")
def test_a_chapter_names_the_peer_that_is_absent() -> None:
    chapter: Chapter = rendering(Run(quick=True, stack=contextlib.ExitStack()))

    assert chapter.absent == ["Jinja2: pip could not install it"]
    assert OURS in {figure.name for figure in chapter.figures}
    assert JINJA not in {figure.name for figure in chapter.figures}


def test_a_disk_to_which_nothing_is_added_is_the_disk_as_it_is() -> None:
    assert slow_disk.added(0.0) == {}


@pytest.mark.skipif(slow_disk.library() is None, reason="there is no C compiler")
def test_a_slower_disk_takes_longer_for_every_sync() -> None:
    # Nothing less than what was added, however fast the disk is.
    assert slow_disk.measured(5.0) >= 5_000
