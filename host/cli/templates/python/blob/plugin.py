"""A blob backend in its own memory.

A plugin has one thread and is never entered twice, so that nothing is locked. The one invariant: what is in `_blobs` is
whole; what is being written in parts is in `_uploads`.
"""

from dataclasses import dataclass, field
from typing import List, Optional

from larder_sdk import Settings, blob, conflict, invalid
from larder_sdk.blob import Instances, Listed, Metadata, MustBeAbsent, MustHaveEtag, Page, PutOptions, check_path


@dataclass
class Upload:
    """A blob that is being written in parts."""

    path: str
    options: PutOptions
    parts: dict[str, bytes] = field(default_factory=dict)


class Shelf(blob.BlobBackend):
    """The plugin: blobs by their paths, uploads by their tokens."""

    def __init__(self) -> None:
        self._blobs: dict[str, tuple[bytes, Metadata]] = {}
        self._uploads: dict[str, Upload] = {}
        self._number_last = 0

    @classmethod
    def configure(cls, settings: Settings) -> "Shelf":
        # Take what you know: `settings.take("folder")`. The rest is refused by name.
        settings.finish()
        return cls()

    def describe(self) -> blob.Description:
        return blob.description(blob.ALL_FEATURES, Instances.ONE)

    def stat(self, path: str) -> Optional[Metadata]:
        check_path(path)
        found = self._blobs.get(path)
        return found and found[1]

    def read(self, path: str, offset: int, length: int) -> Optional[bytes]:
        check_path(path)
        found = self._blobs.get(path)
        return found and found[0][offset : offset + length]

    def list(self, prefix: str, cursor: Optional[str], limit: int) -> Page:
        # Python compares texts by code points, which is the order of their bytes in UTF-8.
        start = prefix if cursor is None else cursor
        paths = sorted(path for path in self._blobs if path.startswith(prefix) and path >= start)
        entries = [Listed(path, self._blobs[path][1]) for path in paths[:limit]]
        return Page(entries, paths[limit] if len(paths) > limit else None)

    def delete(self, path: str) -> None:
        check_path(path)
        self._blobs.pop(path, None)

    def put(self, path: str, data: bytes, options: PutOptions) -> Metadata:
        check_path(path)
        current = self._blobs.get(path)
        match options.condition:
            case MustBeAbsent() if current is not None:
                raise conflict(path)
            case MustHaveEtag(etag) if current is None or current[1].etag != etag:
                raise conflict(path)
        metadata = Metadata(len(data), self._next_number(), options.content_type, None, options.user)
        self._blobs[path] = (data, metadata)
        return metadata

    def copy(self, source: str, target: str) -> None:
        check_path(source)
        found = self._blobs.get(source)
        if found is None:
            raise invalid(f"there is no blob {source!r} to copy")
        data, metadata = found
        self.put(target, data, PutOptions(metadata.content_type, metadata.user, None))

    def begin(self, path: str, options: PutOptions) -> str:
        check_path(path)
        token = self._next_number()
        self._uploads[token] = Upload(path, options)
        return token

    def part(self, upload: str, number: int, data: bytes) -> str:
        self._upload(upload).parts[str(number)] = data
        return str(number)

    def finish(self, upload: str, parts: List[str]) -> Metadata:
        begun = self._upload(upload)
        missing = [part for part in parts if part not in begun.parts]
        if missing:
            raise invalid(f"the part {missing[0]!r} was never stored")
        metadata = self.put(begun.path, b"".join(begun.parts[part] for part in parts), begun.options)
        del self._uploads[upload]
        return metadata

    def abort(self, upload: str) -> None:
        self._uploads.pop(upload, None)

    def _upload(self, token: str) -> Upload:
        if token not in self._uploads:
            raise invalid("there is no such upload: it was finished or aborted, or the plugin has started anew")
        return self._uploads[token]

    def _next_number(self) -> str:
        """A number that was never given before: an etag, or an upload's token."""
        self._number_last += 1
        return str(self._number_last)


Blob, Lifecycle = blob.export_backend(Shelf)
