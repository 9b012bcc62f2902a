"""Cache policies: what a tier keeps. A policy decides and never acts; the host asks it in batches, never on a hit."""

from abc import ABC, abstractmethod
from typing import Type

from wit_world.exports.policy import Batch, Insert, Limits

from larder_sdk.instance import Cell, lifecycle
from larder_sdk.settings import Settings

__all__ = ["Batch", "CachePolicy", "Insert", "Limits", "export_policy"]


class CachePolicy(ABC):
    """A cache policy."""

    @classmethod
    @abstractmethod
    def configure(cls, settings: Settings) -> "CachePolicy":
        """Makes the instance. `invalid` for a setting that is unknown, missing or makes no sense, naming it."""

    def health(self) -> None:
        """Is the policy usable?"""

    @abstractmethod
    def resize(self, limits: Limits) -> None:
        """How much the tier may hold; called after `configure` and at each change."""

    @abstractmethod
    def observe(self, batch: Batch) -> None:
        """Takes note of what happened, at most 1,024 events, to be replayed in the order of the batch's fields."""

    def admit(self, candidates: list[Insert]) -> list[bool]:
        """For each candidate, by position: shall it be let in? Unless overridden, all are."""
        return [True] * len(candidates)

    @abstractmethod
    def victims(self, bytes: int, max: int) -> list[int]:
        """The slots to go next, best first, at most `max`, until `bytes` are free."""


def export_policy(plugin: Type[CachePolicy]) -> tuple[type, type]:
    """The two exported classes: `Policy, Lifecycle = export_policy(Mine)` at the top of the plugin's module."""
    cell = Cell(plugin)

    class Policy:
        def resize(self, limits: Limits) -> None:
            cell.get().resize(limits)

        def observe(self, batch: Batch) -> None:
            cell.get().observe(batch)

        def admit(self, candidates: list[Insert]) -> list[bool]:
            return cell.get().admit(candidates)

        def victims(self, bytes: int, max: int) -> list[int]:
            return cell.get().victims(bytes, max)

    return Policy, lifecycle(cell)
