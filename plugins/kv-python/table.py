"""The table: entries by key, and the keys in their order. The one invariant: both have the same keys."""

from bisect import bisect_left, insort
from typing import Iterator, Optional, Union

from larder_sdk import conflict, counter, kv
from larder_sdk.kv import Add, Added, Check, Delete, Deleted, Entry, Outcome, Put, Write, Written


class Table:
    """Entries in the order of their keys, with versions."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}
        self._keys: list[str] = []
        self.version_last = 0

    def get(self, key: str) -> Optional[Entry]:
        """Reads one entry."""
        return self._entries.get(key)

    def range(self, start: str, end: Optional[str]) -> Iterator[tuple[str, Entry]]:
        """Entries from `start` on and before `end`, ascending.

        Python compares texts by code points, which is the order of their bytes in UTF-8.
        """
        for at in range(bisect_left(self._keys, start), len(self._keys)):
            key = self._keys[at]
            if end is not None and key >= end:
                return
            yield key, self._entries[key]

    def commit(self, checks: list[Check], writes: list[Write]) -> list[Outcome]:
        """Applies all checks and writes, or nothing: everything that can fail comes before the first change."""
        for check in checks:
            entry = self._entries.get(check.key)
            if not kv.holds(check.expect, entry and entry.version):
                raise conflict(check.key)
        steps = [(write.key, self._plan(write)) for write in writes]
        return [self._apply(key, step) for key, step in steps]

    def insert(self, key: str, entry: Entry) -> None:
        """Puts an entry in as it is."""
        if key not in self._entries:
            insort(self._keys, key)
        self._entries[key] = entry

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
        self.version_last += 1
        if isinstance(step, int):
            self.insert(key, Entry(counter.encode(step), self.version_last, None))
            return Added(step)
        self.insert(key, Entry(step, self.version_last, None))
        return Written(self.version_last)
