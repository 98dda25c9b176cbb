"""The door: who is prepared when, that nobody waits long, and that nothing of the refused stays."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import weakref
from collections.abc import Iterator

import pytest

from postroom_server.refusals import Reason, Refusal
from postroom_server.store import door as module
from postroom_server.store.door import Door

whose: contextvars.ContextVar[str] = contextvars.ContextVar("whose")


class Asked:
    def __init__(self, text: str) -> None:
        self.text = text


class House:
    def __init__(self) -> None:
        self.prepared: list[str] = []
        self.inside: list[str] = []
        self.seen: list[int] = []  # how many were inside, at each turn of the loop that followed
        self.door: Door[Asked, str, str] = Door(self.prepare, self.let_in)

    def prepare(self, asked: Asked) -> str:
        self.prepared.append(asked.text)
        match asked.text:
            case "refused":
                raise Refusal(Reason.NO_RECIPIENTS, "no")
            case "wrong":
                raise ZeroDivisionError
            case "stop":
                raise StopIteration
            case "worse":
                raise KeyboardInterrupt
            case "whose":
                return whose.get()
        return asked.text.upper()

    def let_in(self, item: str, future: asyncio.Future[str]) -> None:
        self.inside.append(item)
        future.set_result(item)
        asyncio.get_running_loop().call_soon(lambda: self.seen.append(len(self.inside)))

    def come(self, *texts: str) -> list[asyncio.Future[str]]:
        futures = [asyncio.get_running_loop().create_future() for _ in texts]
        for text, future in zip(texts, futures, strict=True):
            self.door.come(Asked(text), future)
        return futures


@pytest.fixture
def never(monkeypatch: pytest.MonkeyPatch) -> None:
    """The door does not open by itself."""
    monkeypatch.setattr(module, "OPENS_AFTER_SECONDS", 3600.0)


@pytest.fixture
def house() -> House:
    return House()


@pytest.fixture
def no_collection() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("never")
async def test_who_came_is_prepared_in_order_when_the_door_opens(house: House) -> None:
    house.come("a", "b", "c")
    await asyncio.sleep(0)
    assert (len(house.door), house.prepared) == (3, [])
    await house.door.open()
    assert (len(house.door), house.inside) == (0, ["A", "B", "C"])


@pytest.mark.usefixtures("never")
async def test_an_empty_door_opens(house: House) -> None:
    await house.door.open()
    assert house.inside == []


async def test_it_opens_by_itself_before_long(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "OPENS_AFTER_SECONDS", 0.001)
    assert await asyncio.gather(*house.come("a", "b")) == ["A", "B"]
    assert await asyncio.gather(*house.come("c")) == ["C"]


@pytest.mark.parametrize("by_itself", [True, False])
async def test_between_slices_the_loop_goes_round(
    house: House, monkeypatch: pytest.MonkeyPatch, by_itself: bool
) -> None:
    monkeypatch.setattr(module, "SLICE_SECONDS", 0.0)
    monkeypatch.setattr(module, "OPENS_AFTER_SECONDS", 0.001 if by_itself else 3600.0)
    futures = house.come("a", "b", "c")
    if not by_itself:
        await house.door.open()
    await asyncio.gather(*futures)
    await asyncio.sleep(0)
    assert house.seen == [1, 2, 3]


@pytest.mark.usefixtures("never")
@pytest.mark.parametrize(
    ("text", "error"), [("refused", Refusal), ("wrong", ZeroDivisionError), ("stop", RuntimeError)]
)
async def test_what_preparing_raises_goes_to_its_caller_only(
    house: House, text: str, error: type[Exception]
) -> None:
    futures = house.come("a", text, "b")
    await house.door.open()
    answers = await asyncio.gather(*futures, return_exceptions=True)
    assert answers[::2] == ["A", "B"]
    assert isinstance(answers[1], error)


@pytest.mark.usefixtures("never")
async def test_what_is_no_error_of_a_call_goes_on_and_strands_nobody(house: House) -> None:
    first, worse, last = house.come("a", "worse", "b")
    with pytest.raises(KeyboardInterrupt):
        await house.door.open()
    assert worse.cancelled()
    await house.door.open()
    assert (await first, await last) == ("A", "B")


async def test_who_comes_while_it_is_open_waits_for_the_next_time(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SLICE_SECONDS", 0.0)
    house.come("a", "b")
    opening = asyncio.create_task(house.door.open())
    await asyncio.sleep(0)
    again = house.come("c")
    await opening
    assert (house.inside, len(house.door)) == (["A", "B"], 1)
    assert await asyncio.gather(*again) == ["C"]


async def test_it_is_not_open_for_longer_than_anybody_waits(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SLICE_SECONDS", 0.0)
    monkeypatch.setattr(module, "OPENS_AFTER_SECONDS", 0.0)
    futures = house.come("a", "b", "c")
    opening = asyncio.create_task(house.door.open())
    await opening
    assert "C" not in house.inside
    # Who is left comes in all the same.
    assert await asyncio.gather(*futures) == ["A", "B", "C"]


async def test_it_does_not_open_by_itself_while_it_is_open(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SLICE_SECONDS", 0.0)
    house.come("a", "b", "c")
    timer = house.door._timer
    assert timer
    opening = asyncio.create_task(house.door.open())
    await asyncio.sleep(0)
    house.door._open_by_itself(asyncio.get_running_loop())
    assert house.inside == ["A"]
    await opening
    assert house.inside == ["A", "B", "C"]


@pytest.mark.usefixtures("never")
async def test_who_has_left_is_not_prepared(house: House) -> None:
    _, gone, _ = house.come("a", "b", "c")
    gone.cancel()
    await house.door.open()
    assert house.prepared == ["a", "c"]


async def test_preparing_is_nobody_s_call(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "OPENS_AFTER_SECONDS", 0.001)
    whose.set("the first caller's")
    with pytest.raises(LookupError):
        await house.come("whose")[0]


@pytest.mark.usefixtures("never", "no_collection")
async def test_nothing_of_what_was_asked_stays(house: House) -> None:
    asked = [Asked(text) for text in ("a", "refused", "b", "wrong", "stop")]
    futures = [asyncio.get_running_loop().create_future() for _ in asked]
    for one, future in zip(asked, futures, strict=True):
        house.door.come(one, future)
    await house.door.open()
    await asyncio.gather(*futures, return_exceptions=True)
    alive = [weakref.ref(one) for one in asked]
    del asked, futures, one, future
    await asyncio.sleep(0)
    assert [one() for one in alive] == [None] * 5
