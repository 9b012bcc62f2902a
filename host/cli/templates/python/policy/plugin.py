"""A cache policy: what was used last stays longest.

A plugin has one thread and is never entered twice, so that nothing is locked.
"""

from typing import Optional

from larder_sdk import Settings, policy
from larder_sdk.policy import Batch, Insert, Limits


class Lru(policy.CachePolicy):
    """The plugin: sizes in bytes by slot, what was used longest ago first."""

    def __init__(self) -> None:
        self._sizes: dict[int, int] = {}
        self._limits: Optional[Limits] = None

    @classmethod
    def configure(cls, settings: Settings) -> "Lru":
        settings.finish()
        return cls()

    def resize(self, limits: Limits) -> None:
        self._limits = limits

    def observe(self, batch: Batch) -> None:
        for slot in batch.removed:
            self._sizes.pop(slot, None)
        for insert in batch.inserted:
            self._sizes.pop(insert.slot, None)
            self._sizes[insert.slot] = insert.bytes
        for slot in batch.hits:
            # A hit may tell of a slot that was freed since.
            size = self._sizes.pop(slot, None)
            if size is not None:
                self._sizes[slot] = size

    def admit(self, candidates: list[Insert]) -> list[bool]:
        limits = self._limits
        return [limits is None or candidate.bytes <= limits.bytes_max for candidate in candidates]

    def victims(self, bytes: int, max: int) -> list[int]:
        freed, victims = 0, []
        for slot, size in self._sizes.items():
            if freed >= bytes or len(victims) == max:
                break
            freed += size
            victims.append(slot)
        return victims


Policy, Lifecycle = policy.export_policy(Lru)
