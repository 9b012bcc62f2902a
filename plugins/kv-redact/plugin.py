"""A layer that takes personal data and credentials out of texts before they reach any store.

It looks at values as they are written, and at nothing else: what is read is what was stored.
"""

from typing import Optional

from larder_sdk import Settings, kv
from larder_sdk.kv import Check, Entry, Outcome, Page, Put, PutValue, Write

from redaction import Redaction


class KvRedact(kv.KvLayer):
    """The plugin."""

    def __init__(self, redaction: Redaction) -> None:
        self._redaction = redaction

    @classmethod
    def configure(cls, settings: Settings) -> "KvRedact":
        return cls(Redaction.configure(settings))

    def describe(self) -> kv.Description:
        return self.next.describe()

    def get(self, key: str) -> Optional[Entry]:
        return self.next.get(key)

    def get_many(self, keys: list[str]) -> list[Optional[Entry]]:
        return self.next.get_many(keys)

    def scan(self, start: str, end: Optional[str], limit: int, keys_only: bool) -> Page:
        return self.next.scan(start, end, limit, keys_only)

    def commit(self, checks: list[Check], writes: list[Write]) -> list[Outcome]:
        # All are looked at before any is passed on, so that a refusal writes nothing.
        return self.next.commit(checks, [self._redacted(write) for write in writes])

    def _redacted(self, write: Write) -> Write:
        match write.change:
            case Put(put):
                value = self._redaction.redact(put.value, write.key)
                return write if value is put.value else Write(write.key, Put(PutValue(value, put.ttl_ms)))
            case _:
                return write


Kv, Lifecycle = kv.export_layer(KvRedact)
