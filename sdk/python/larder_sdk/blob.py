"""Blob backends and layers.

The host makes an OpenDAL service of a blob plugin. Paths are relative and normalised, but a backend checks them all the
same with `check_path`. Memory stays bounded because a large blob comes in parts, each in a call.
"""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, List, Optional, Protocol, Type

from componentize_py_types import Err, Ok, Result
from wit_world.imports import types

try:
    from wit_world.imports import blob as contract
except ImportError:
    if not TYPE_CHECKING:
        # The world of a backend imports no store, so that the types are with the interface that it exports.
        from wit_world.exports import blob as contract

from larder_sdk.errors import invalid, unsupported
from larder_sdk.instance import Cell, lifecycle
from larder_sdk.settings import Settings

Condition = contract.Condition
Description = contract.Description
Features = contract.Features
Instances = contract.Instances
Listed = contract.Listed
Metadata = contract.Metadata
MustBeAbsent = contract.Condition_Absent
MustHaveEtag = contract.Condition_Etag
Page = contract.Page
PutOptions = contract.PutOptions

Answer = Result[None, types.Error]
"""What became of one of many."""

PART_BYTES_MAX = 8 << 20
"""The largest part, and the largest `put`, of the contract in bytes."""

ALL_FEATURES = Features(sum(feature.value for feature in Features))
"""Everything that a backend can declare."""


def description(features: Features, instances: Instances = Instances.MANY) -> Description:
    """A description without restrictions on parts. `Instances.ONE` is for a backend that owns its data."""
    return Description(features, instances, 0, PART_BYTES_MAX)


def check_path(path: str) -> None:
    """Refuses a path that is empty, absolute, or has an empty, `.` or `..` part. A folder's ends in `/`."""
    parts = path.removesuffix("/").split("/")
    if any(part in ("", ".", "..") or "\0" in part for part in parts):
        raise invalid(f"the path {path!r} is not relative and normalised")


class BlobBackend(ABC):
    """A blob backend."""

    @classmethod
    @abstractmethod
    def configure(cls, settings: Settings) -> "BlobBackend":
        """Makes the instance. `invalid` for a setting that is unknown, missing or makes no sense, naming it."""

    @abstractmethod
    def describe(self) -> Description:
        """What this backend is. Asked once, after `configure`."""

    def health(self) -> None:
        """Is the service behind this plugin reachable and usable?"""

    @abstractmethod
    def stat(self, path: str) -> Optional[Metadata]:
        """What is known of a blob; `None` where there is none."""

    @abstractmethod
    def read(self, path: str, offset: int, length: int) -> Optional[bytes]:
        """Reads a range: short only at the end of the blob, empty past it, `None` where there is no blob."""

    @abstractmethod
    def list(self, prefix: str, cursor: Optional[str], limit: int) -> Page:
        """Blobs whose paths begin with `prefix`, at most `limit`, at any depth, ascending; never unfinished ones."""

    @abstractmethod
    def delete(self, path: str) -> None:
        """Deletes one blob; deleting what is not there succeeds."""

    def delete_many(self, paths: List[str]) -> List[Answer]:
        """Deletes many, answered by position; unless overridden, one by one."""
        return [_answer(self.delete, path) for path in paths]

    @abstractmethod
    def put(self, path: str, data: bytes, options: PutOptions) -> Metadata:
        """A whole small blob, atomically. A condition that does not hold is `conflict`."""

    def copy(self, source: str, target: str) -> None:
        """Copies a blob with its metadata, atomically; a missing source is `invalid`. Called only where declared."""
        raise unsupported("this backend can't copy")

    def begin(self, path: str, options: PutOptions) -> str:
        """Begins a large blob, in parts. Called only where `multipart` is declared, as are the next three."""
        raise unsupported("this backend has no multipart")

    def part(self, upload: str, number: int, data: bytes) -> str:
        """Stores part `number`, from 0 on; it may be sent again. Answers what `finish` wants for it."""
        raise unsupported("this backend has no multipart")

    def finish(self, upload: str, parts: List[str]) -> Metadata:
        """Makes the blob of its parts, in their order, atomically."""
        raise unsupported("this backend has no multipart")

    def abort(self, upload: str) -> None:
        """Forgets an upload and its parts; forgetting what is not there succeeds."""
        raise unsupported("this backend has no multipart")


class NextBlob(Protocol):
    """The store behind a layer. In a component it is the host's; a test puts any object in its place."""

    def describe(self) -> Description: ...
    def stat(self, path: str) -> Optional[Metadata]: ...
    def read(self, path: str, offset: int, length: int) -> Optional[bytes]: ...
    def list(self, prefix: str, cursor: Optional[str], limit: int) -> Page: ...
    def delete_many(self, paths: List[str]) -> List[Answer]: ...
    def copy(self, source: str, target: str) -> None: ...
    def put(self, path: str, data: bytes, options: PutOptions) -> Metadata: ...
    def begin(self, path: str, options: PutOptions) -> str: ...
    def part(self, upload: str, number: int, data: bytes) -> str: ...
    def finish(self, upload: str, parts: List[str]) -> Metadata: ...
    def abort(self, upload: str) -> None: ...


class BlobLayer(ABC):
    """A layer in front of another blob store, `next`.

    What carries bytes has no default on purpose: a layer that forgets one would let bytes around itself. What carries
    none is passed on unless overridden.
    """

    next: NextBlob

    @classmethod
    @abstractmethod
    def configure(cls, settings: Settings) -> "BlobLayer":
        """Makes the instance. The next store can't be called yet."""

    @abstractmethod
    def describe(self) -> Description:
        """What the store is, seen through this layer."""

    def health(self) -> None:
        """Is the layer usable? The host asks the next store itself."""

    @abstractmethod
    def stat(self, path: str) -> Optional[Metadata]:
        """As of `BlobBackend.stat`. A layer that changes sizes changes them here too."""

    @abstractmethod
    def read(self, path: str, offset: int, length: int) -> Optional[bytes]:
        """As of `BlobBackend.read`."""

    @abstractmethod
    def list(self, prefix: str, cursor: Optional[str], limit: int) -> Page:
        """As of `BlobBackend.list`."""

    def delete_many(self, paths: List[str]) -> List[Answer]:
        """As of `BlobBackend.delete_many`."""
        return self.next.delete_many(paths)

    @abstractmethod
    def put(self, path: str, data: bytes, options: PutOptions) -> Metadata:
        """As of `BlobBackend.put`."""

    def copy(self, source: str, target: str) -> None:
        """As of `BlobBackend.copy`."""
        self.next.copy(source, target)

    @abstractmethod
    def begin(self, path: str, options: PutOptions) -> str:
        """As of `BlobBackend.begin`."""

    @abstractmethod
    def part(self, upload: str, number: int, data: bytes) -> str:
        """As of `BlobBackend.part`."""

    @abstractmethod
    def finish(self, upload: str, parts: List[str]) -> Metadata:
        """As of `BlobBackend.finish`."""

    def abort(self, upload: str) -> None:
        """As of `BlobBackend.abort`."""
        self.next.abort(upload)


def _answer(act, path: str) -> Answer:
    try:
        act(path)
    except Err as error:
        return error
    return Ok(None)


def export_backend(plugin: Type[BlobBackend]) -> tuple[type, type]:
    """The two exported classes: `Blob, Lifecycle = blob.export_backend(Mine)` at the top of the plugin's module."""
    cell = Cell(plugin)
    declared: List[Description] = []

    def needs(feature: Features, name: str) -> None:
        if feature not in declared[0].features:
            raise unsupported(f"this backend has no {name}")

    def refuse(options: PutOptions) -> None:
        if options.content_type is not None:
            needs(Features.CONTENT_TYPE, "content types")
        if options.user:
            needs(Features.USER_METADATA, "user metadata")
        match options.condition:
            case MustBeAbsent():
                needs(Features.IF_ABSENT, "condition `absent`")
            case MustHaveEtag():
                needs(Features.IF_MATCH, "condition on an etag")

    class Blob:
        def describe(self) -> Description:
            return declared[0]

        def stat(self, path: str) -> Optional[Metadata]:
            return cell.get().stat(path)

        def read(self, path: str, offset: int, length: int) -> Optional[bytes]:
            return cell.get().read(path, offset, length)

        def list(self, prefix: str, cursor: Optional[str], limit: int) -> Page:
            if limit == 0:
                raise invalid("a listing of at most 0 blobs")
            return cell.get().list(prefix, cursor, limit)

        def delete_many(self, paths: List[str]) -> List[Answer]:
            return cell.get().delete_many(paths)

        def copy(self, source: str, target: str) -> None:
            needs(Features.COPY, "copy")
            cell.get().copy(source, target)

        def put(self, path: str, data: bytes, options: PutOptions) -> Metadata:
            refuse(options)
            return cell.get().put(path, data, options)

        def begin(self, path: str, options: PutOptions) -> str:
            needs(Features.MULTIPART, "multipart")
            refuse(options)
            return cell.get().begin(path, options)

        def part(self, upload: str, number: int, data: bytes) -> str:
            needs(Features.MULTIPART, "multipart")
            return cell.get().part(upload, number, data)

        def finish(self, upload: str, parts: List[str]) -> Metadata:
            needs(Features.MULTIPART, "multipart")
            return cell.get().finish(upload, parts)

        def abort(self, upload: str) -> None:
            needs(Features.MULTIPART, "multipart")
            cell.get().abort(upload)

    return Blob, lifecycle(cell, lambda: declared.append(cell.get().describe()))


def export_layer(plugin: Type[BlobLayer]) -> tuple[type, type]:
    """The two exported classes: `Blob, Lifecycle = blob.export_layer(Mine)` at the top of the plugin's module."""
    cell = Cell(plugin)

    class Blob:
        def describe(self) -> Description:
            return cell.get().describe()

        def stat(self, path: str) -> Optional[Metadata]:
            return cell.get().stat(path)

        def read(self, path: str, offset: int, length: int) -> Optional[bytes]:
            return cell.get().read(path, offset, length)

        def list(self, prefix: str, cursor: Optional[str], limit: int) -> Page:
            return cell.get().list(prefix, cursor, limit)

        def delete_many(self, paths: List[str]) -> List[Answer]:
            return cell.get().delete_many(paths)

        def copy(self, source: str, target: str) -> None:
            cell.get().copy(source, target)

        def put(self, path: str, data: bytes, options: PutOptions) -> Metadata:
            return cell.get().put(path, data, options)

        def begin(self, path: str, options: PutOptions) -> str:
            return cell.get().begin(path, options)

        def part(self, upload: str, number: int, data: bytes) -> str:
            return cell.get().part(upload, number, data)

        def finish(self, upload: str, parts: List[str]) -> Metadata:
            return cell.get().finish(upload, parts)

        def abort(self, upload: str) -> None:
            cell.get().abort(upload)

    def connect() -> None:
        # The functions of the imported interface are the next store.
        cell.get().next = contract  # type: ignore[assignment]

    return Blob, lifecycle(cell, connect)
