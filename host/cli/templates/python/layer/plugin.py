"""A key-value layer that refuses values that are too large, and passes everything else on.

A plugin has one thread and is never entered twice, so that nothing is locked.
"""

from typing import Optional

from larder_sdk import Settings, invalid, kv
from larder_sdk.kv import Check, Entry, Outcome, Page, Put, Write


class Guard(kv.KvLayer):
    """The plugin."""

    def __init__(self, value_bytes_max: int) -> None:
        self._value_bytes_max = value_bytes_max

    @classmethod
    def configure(cls, settings: Settings) -> "Guard":
        value_bytes_max = settings.parse("value-bytes-max", int, "a whole number")
        # What was not taken is refused by name.
        settings.finish()
        return cls(kv.VALUE_BYTES_MAX if value_bytes_max is None else value_bytes_max)

    def describe(self) -> kv.Description:
        description = self.next.describe()
        description.max_value_bytes = min(description.max_value_bytes, self._value_bytes_max)
        return description

    def get(self, key: str) -> Optional[Entry]:
        return self.next.get(key)

    def get_many(self, keys: list[str]) -> list[Optional[Entry]]:
        return self.next.get_many(keys)

    def scan(self, start: str, end: Optional[str], limit: int, keys_only: bool) -> Page:
        return self.next.scan(start, end, limit, keys_only)

    def commit(self, checks: list[Check], writes: list[Write]) -> list[Outcome]:
        for write in writes:
            match write.change:
                case Put(put) if len(put.value) > self._value_bytes_max:
                    size = len(put.value)
                    raise invalid(f"the value of `{write.key}` has {size} bytes, more than {self._value_bytes_max}")
        return self.next.commit(checks, writes)


Kv, Lifecycle = kv.export_layer(Guard)
