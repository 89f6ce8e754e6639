"""Which cell may start on which device: slots, memory, and cells that need a device of their own."""

from collections.abc import Mapping, Sequence

from ablate.errors import InputError
from ablate.interfaces.engine import Job, Slot


class Placement:
    """The slots of an engine and what runs in them.

    Args:
        slots: a device stands there as often as jobs may share it.
        limits: free bytes of devices; one that is not named has no limit.
        needs: bytes that jobs take, by ID.

    Attributes:
        slots: those that are free.
        alone: IDs of jobs that have to have their device to themselves.
    """

    def __init__(self, slots: Sequence[Slot], limits: Mapping[str, int], needs: Mapping[str, int]) -> None:
        self.slots = list(slots)
        self.limits = limits
        self.needs = needs
        self.alone: set[str] = set()
        self._on: dict[str, list[str]] = {slot.device: [] for slot in slots}
        self._shared: set[str] = set()

    def place(self, job: Job) -> Slot | None:
        """A free slot whose device has the room for this job by now, or None."""
        return next((slot for slot in self.slots if self._fits(job.id, slot.device)), None)

    def take(self, job: Job, slot: Slot) -> None:
        """A job starts in a slot."""
        self.slots.remove(slot)
        here = self._on[slot.device]
        here.append(job.id)
        self._shared.discard(job.id)
        if len(here) > 1:
            # For as long as they run: the neighbour that took the memory may be gone by the time a failure is told.
            self._shared.update(here)

    def release(self, job: Job, slot: Slot) -> bool:
        """The job's process has ended; true if another was beside it at some time."""
        self._on[slot.device].remove(job.id)
        self.slots.append(slot)
        return job.id in self._shared

    def reduced(self, job: Job) -> str:
        """A line on what becomes of the shares where cells like this one do not fit as often as asked; or nothing.

        Raises:
            InputError: no device has the memory for one of them.
        """
        need = self.needs.get(job.id, 0)
        # How often such a cell fits beside its like; smaller ones may still be placed more densely.
        rooms = {device: limit // need for device, limit in self.limits.items() if need and device in self._on}
        if rooms and not any(rooms.values()):
            raise InputError(
                f"{job.id} needs about {gib(need)} of GPU memory, and {gib(max(self.limits.values()))} are free; "
                "a smaller data.batch_size, trainer.precision=bf16 or trainer.checkpoint_blocks=true takes less"
            )
        asked = {device: sum(slot.device == device for slot in self.slots) for device in rooms}
        few = [f"{rooms[device]} of {count} on {device}" for device, count in asked.items() if rooms[device] < count]
        if not few:
            return ""
        return f"cells as large as {job.id} need about {gib(need)} of GPU memory each: at a time run {', '.join(few)}"

    def _fits(self, cell: str, device: str) -> bool:
        here = self._on[device]
        # Both ways: one that has to be alone waits for an empty device, and keeps others off it.
        if here and (cell in self.alone or not self.alone.isdisjoint(here)):
            return False
        if device not in self.limits:
            return True
        return self.needs.get(cell, 0) + sum(self.needs.get(one, 0) for one in here) <= self.limits[device]


def gib(size: int) -> str:
    """Bytes for people."""
    return f"{size / 2**30:.1f} GiB"
