"""A blob layer that lets nothing be changed below a path, and passes everything else on.

A plugin has one thread and is never entered twice, so that nothing is locked.
"""

from typing import List, Optional

from larder_sdk import PluginError, Settings, blob, denied
from larder_sdk.blob import Answer, Metadata, Page, PutOptions


class Freezer(blob.BlobLayer):
    """The plugin. Paths that begin with `frozen` are only read; an empty one freezes nothing."""

    def __init__(self, frozen: str) -> None:
        self._frozen = frozen

    @classmethod
    def configure(cls, settings: Settings) -> "Freezer":
        frozen = settings.take("frozen")
        # What was not taken is refused by name.
        settings.finish()
        return cls(frozen or "")

    def describe(self) -> blob.Description:
        return self.next.describe()

    def stat(self, path: str) -> Optional[Metadata]:
        return self.next.stat(path)

    def read(self, path: str, offset: int, length: int) -> Optional[bytes]:
        return self.next.read(path, offset, length)

    def list(self, prefix: str, cursor: Optional[str], limit: int) -> Page:
        return self.next.list(prefix, cursor, limit)

    def delete_many(self, paths: List[str]) -> List[Answer]:
        # Those that may go do, whatever becomes of the others.
        return [self._delete(path) for path in paths]

    def put(self, path: str, data: bytes, options: PutOptions) -> Metadata:
        self._may_change(path)
        return self.next.put(path, data, options)

    def copy(self, source: str, target: str) -> None:
        self._may_change(target)
        self.next.copy(source, target)

    def begin(self, path: str, options: PutOptions) -> str:
        # Only what was begun can be finished, so that parts need no look.
        self._may_change(path)
        return self.next.begin(path, options)

    def part(self, upload: str, number: int, data: bytes) -> str:
        return self.next.part(upload, number, data)

    def finish(self, upload: str, parts: List[str]) -> Metadata:
        return self.next.finish(upload, parts)

    def _delete(self, path: str) -> Answer:
        try:
            self._may_change(path)
            return self.next.delete_many([path])[0]
        except PluginError as error:
            return error

    def _may_change(self, path: str) -> None:
        if self._frozen and path.startswith(self._frozen):
            raise denied(f"{path!r} is frozen: nothing below {self._frozen!r} is changed")


Blob, Lifecycle = blob.export_layer(Freezer)
