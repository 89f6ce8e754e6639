"""An engine for tests: cells run one after the other in the test's own process."""

from __future__ import annotations

from ablate import Attempt, Engine, Job, Slot, attempt, register


class Ended(Attempt):
    def __init__(self, code: int) -> None:
        self.code = code

    def ending(self) -> int:
        return self.code

    def stop(self) -> None:
        pass

    def kill(self) -> None:
        pass


def register_engine() -> None:
    """Make `engine=here` known."""

    @register("engine", "here")
    class Here(Engine):
        """In the test's own process."""

        retries = 0

        def start(self, job: Job, slot: Slot) -> Ended:
            return Ended(attempt(job, slot))

        def slots(self, jobs: int, threads: int = 1) -> list[Slot]:
            return [Slot("cpu", 1)]
