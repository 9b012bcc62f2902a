"""A key-value backend in its own memory.

A plugin has one thread and is never entered twice, so that nothing is locked.
"""

from bisect import bisect_left, insort
from typing import Iterator, Optional, Union

from larder_sdk import Settings, conflict, counter, kv
from larder_sdk.kv import Add, Added, Check, Delete, Deleted, Entry, Features, Instances, Outcome, Page, Put, Write, Written


class Shelf(kv.KvBackend):
    """The plugin: entries by their keys, and the keys in their order."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}
        self._keys: list[str] = []
        self._version_last = 0

    @classmethod
    def configure(cls, settings: Settings) -> "Shelf":
        # Take what you know: `settings.take("folder")`. The rest is refused by name.
        settings.finish()
        return cls()

    def describe(self) -> kv.Description:
        features = Features.SCAN | Features.VERSIONS | Features.TRANSACTIONS | Features.COUNTERS
        return kv.description(features, Instances.ONE)

    def get(self, key: str) -> Optional[Entry]:
        return self._entries.get(key)

    def scan(self, start: str, end: Optional[str], limit: int, keys_only: bool) -> Page:
        return kv.page(self._range(start, end), limit, keys_only)

    def commit(self, checks: list[Check], writes: list[Write]) -> list[Outcome]:
        # Everything that can fail comes first, so that a commit happens whole or not at all.
        for check in checks:
            entry = self._entries.get(check.key)
            if not kv.holds(check.expect, entry and entry.version):
                raise conflict(check.key)
        steps = [(write.key, self._plan(write)) for write in writes]
        return [self._apply(key, step) for key, step in steps]

    def _plan(self, write: Write) -> Union[bytes, int, None]:
        """The bytes to store, a counter's new value, or `None` for a delete."""
        match write.change:
            case Put(put):
                return put.value
            case Add(delta):
                entry = self._entries.get(write.key)
                return counter.add(entry and entry.value, delta, write.key)
            case Delete():
                return None

    def _apply(self, key: str, step: Union[bytes, int, None]) -> Outcome:
        if step is None:
            if self._entries.pop(key, None) is None:
                return Deleted(False)
            del self._keys[bisect_left(self._keys, key)]
            return Deleted(True)
        if key not in self._entries:
            insort(self._keys, key)
        self._version_last += 1
        if isinstance(step, int):
            self._entries[key] = Entry(counter.encode(step), self._version_last, None)
            return Added(step)
        self._entries[key] = Entry(step, self._version_last, None)
        return Written(self._version_last)

    def _range(self, start: str, end: Optional[str]) -> Iterator[tuple[str, Entry]]:
        # Python compares texts by code points, which is the order of their bytes in UTF-8.
        for at in range(bisect_left(self._keys, start), len(self._keys)):
            key = self._keys[at]
            if end is not None and key >= end:
                return
            yield key, self._entries[key]


Kv, Lifecycle = kv.export_backend(Shelf)
