"""An ordered key-value store in the plugin's own memory, that hands its entries over when it is swapped."""

from typing import Optional

from larder_sdk import Settings, kv
from larder_sdk.kv import Check, Entry, Features, Instances, Outcome, Page, Write

import snapshot
from table import Table


class KvPython(kv.KvBackendWithHandoff):
    """The plugin."""

    def __init__(self) -> None:
        self._table = Table()

    @classmethod
    def configure(cls, settings: Settings) -> "KvPython":
        settings.finish()
        return cls()

    def describe(self) -> kv.Description:
        # No times to live: without the system there is no clock.
        features = Features.SCAN | Features.VERSIONS | Features.TRANSACTIONS | Features.COUNTERS
        return kv.description(features, Instances.ONE)

    def get(self, key: str) -> Optional[Entry]:
        return self._table.get(key)

    def scan(self, start: str, end: Optional[str], limit: int, keys_only: bool) -> Page:
        return kv.page(self._table.range(start, end), limit, keys_only)

    def commit(self, checks: list[Check], writes: list[Write]) -> list[Outcome]:
        return self._table.commit(checks, writes)

    def save(self) -> bytes:
        return snapshot.save(self._table)

    def restore(self, snapshot_bytes: bytes) -> None:
        self._table = snapshot.restore(snapshot_bytes)


Kv, Lifecycle, Handoff = kv.export_backend_with_handoff(KvPython)
