"""When a cell is cut: by a clock, and by processes, that stand still until a test moves them."""

from __future__ import annotations

import pytest

from ablate.run import patience
from ablate.run.patience import IDLE_BYTES, Patience, stood_in
from ablate.system import heartbeat
from ablate.system.heartbeat import Pulse
from ablate.system.process_tree import Used


class World:
    """A machine on which nothing happens by itself.

    Attributes:
        now: seconds.
        seconds: of processor time that the cell has used.
        bytes: that it has read and written.
    """

    def __init__(self, cell_timeout: float | None, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.seconds, self.bytes = 1000.0, 0.0, 0
        monkeypatch.setattr(heartbeat.time, "monotonic", lambda: self.now)
        monkeypatch.setattr(patience, "is_visible", lambda: True)
        self.pulse = Pulse()
        self.pulse.told_here()
        self.patience = Patience(cell_timeout, clock=lambda: self.now)

    def goes_on(self, seconds: float, busy: float = 0.0, reads: int = 0) -> bool:
        """Let time pass, with so much of it in use; whether the cell is cut by its end."""
        end = self.now + seconds
        while self.now < end:
            step = min(self.patience.interval(self.pulse.slowest), end - self.now)
            self.now += step
            self.seconds += step * busy
            self.bytes += int(step * reads)
            if self.patience.is_over(self.pulse, lambda: Used(self.seconds, self.bytes)):
                return True
        return False


@pytest.fixture(autouse=True)
def _told_to_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeat, "_page", heartbeat._page)


def test_by_default_a_cell_that_does_nothing_has_ten_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(None, monkeypatch)
    assert not world.goes_on(599)
    assert world.goes_on(61)
    assert world.patience.cut.startswith("no step for 6")
    assert world.patience.cut.endswith("and its processes used 0.0 s of processor time in that time")


@pytest.mark.parametrize(("busy", "reads", "cut"), [(0.001, 0, True), (0.02, 0, False), (0.0, 10_000, False)])
def test_by_default_processor_time_and_reading_count(
    busy: float, reads: int, cut: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert World(None, monkeypatch).goes_on(20_000, busy, reads) is cut


def test_by_default_a_cell_has_a_hundred_times_its_slowest_step(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(None, monkeypatch)
    world.now += 30
    heartbeat.step()
    world.now += 12
    heartbeat.step()
    assert world.pulse.slowest == 30
    assert not world.goes_on(2900)
    assert world.goes_on(400)


def test_by_default_what_was_done_before_the_time_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(None, monkeypatch)
    assert not world.goes_on(3000, busy=1.0)
    assert not world.goes_on(550)
    assert world.goes_on(150)


def test_a_number_cuts_also_who_uses_processor_time(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(20.0, monkeypatch)
    assert not world.goes_on(19, busy=1.0)
    assert world.goes_on(3, busy=1.0)
    assert "used 20." in world.patience.cut or "used 21." in world.patience.cut


@pytest.mark.parametrize("tell", [heartbeat.step, heartbeat.progress, heartbeat.read])
def test_steps_measuring_and_reading_are_progress(tell: object, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(20.0, monkeypatch)
    for _ in range(10):
        assert not world.goes_on(15)
        tell()  # type: ignore[operator]
    assert world.goes_on(25)


def test_compiling_is_progress_as_long_as_it_uses_processor_time(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(20.0, monkeypatch)
    heartbeat.compiling()
    assert not world.goes_on(500, busy=1.0)
    heartbeat.step()
    assert world.pulse.slowest == 0, "the step that was compiled says nothing of the others"
    assert world.goes_on(25, busy=1.0)
    world = World(20.0, monkeypatch)
    heartbeat.compiling()
    assert world.goes_on(45)


def test_infinite_patience_never_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not World(float("inf"), monkeypatch).goes_on(100_000)


@pytest.mark.parametrize(("cell_timeout", "stopped"), [(None, 10_000), (20.0, 10_000), (20.0, 25), (1e9, 10)])
def test_who_was_stopped_together_with_its_cell_starts_to_count_anew(
    cell_timeout: float | None, stopped: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(cell_timeout, monkeypatch)
    assert not world.goes_on(10)
    world.now += stopped  # Ctrl-Z
    assert not world.goes_on(15)
    assert world.goes_on(1300) is (cell_timeout != 1e9)


def test_where_processes_cannot_be_seen_only_a_number_cuts(monkeypatch: pytest.MonkeyPatch) -> None:
    for cell_timeout, cut in ((None, False), (20.0, True)):
        world = World(cell_timeout, monkeypatch)
        monkeypatch.setattr(patience, "is_visible", lambda: False)
        assert world.goes_on(20_000) is cut


def test_who_waits_for_its_readers_is_said_to(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(20.0, monkeypatch)
    heartbeat.waiting(True)
    assert world.goes_on(30)
    assert world.patience.cut.endswith("; it waits for the processes that read its data")


def test_little_is_read_by_who_only_waits() -> None:
    assert IDLE_BYTES > 600 * 100, "a line of a log each second is no progress"


DUMP = """words
Thread 0x00007f1 (most recent call first):
  File "/usr/lib/python3.11/threading.py", line 1 in wait

Current thread 0x00007f2 (most recent call first):
  File "{library}/torch/nn/modules/module.py", line 5 in _call_impl
  File "/home/me/plugins/mine.py", line 8 in draw
  File "/home/me/ablate/training/feed.py", line 9 in draw_epoch
"""


def test_where_it_stood_is_the_innermost_line_that_is_no_librarys() -> None:
    library = patience.sysconfig.get_path("purelib")
    assert stood_in(DUMP.format(library=library)) == "; it stood in draw (/home/me/plugins/mine.py line 8)"
    inside = "\n".join(DUMP.format(library=library).splitlines()[:6])
    assert stood_in(inside) == f"; it stood in _call_impl ({library}/torch/nn/modules/module.py line 5)"
    assert stood_in("") == stood_in("words\n") == "; it did not say where it stood"
