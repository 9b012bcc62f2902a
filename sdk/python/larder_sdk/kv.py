"""Key-value backends and layers.

`KvBackend` keeps entries, `KvLayer` sits in front of another store. The types are the contract's own. What a backend
does not declare in `describe` never reaches it: the SDK refuses it as the contract demands.
"""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Iterable, Optional, Protocol, Type

try:
    from wit_world.imports import kv as contract
except ImportError:
    if not TYPE_CHECKING:
        # The world of a backend imports no store, so that the types are with the interface that it exports.
        from wit_world.exports import kv as contract

from larder_sdk.errors import invalid, unsupported
from larder_sdk.instance import Cell, lifecycle
from larder_sdk.settings import Settings

Add = contract.Change_Add
Change = contract.Change
Check = contract.Check
Delete = contract.Change_Delete
Description = contract.Description
Entry = contract.Entry
Expectation = contract.Expectation
Features = contract.Features
Instances = contract.Instances
KeyedEntry = contract.KeyedEntry
MustBeAbsent = contract.Expectation_Absent
MustBePresent = contract.Expectation_Present
MustHaveVersion = contract.Expectation_Version
Outcome = contract.Outcome
Added = contract.Outcome_Added
Deleted = contract.Outcome_Deleted
Written = contract.Outcome_Written
Page = contract.Page
Put = contract.Change_Put
PutValue = contract.Put
Write = contract.Write

KEY_BYTES_MAX = 2_048
"""The longest key of the contract, in bytes."""

VALUE_BYTES_MAX = 8 << 20
"""The largest value of the contract, in bytes."""

COMMIT_BYTES_MAX = 16 << 20
"""Most keys and values of one commit of several writes together, in bytes."""

PAGE_BYTES_MAX = 4 << 20
"""A page ends before the entry that would take it past this many bytes; it holds at least one all the same."""

ITEMS_MAX = 1_000
"""Most keys of a `get_many`, entries of a page, checks of a commit and writes of a commit."""

TTL_MS_MAX = 100 * 365 * 24 * 3_600 * 1_000
"""The longest time to live, in milliseconds: a hundred years. Longer is a mistake of units."""


def description(features: Features, instances: Instances = Instances.MANY) -> Description:
    """A description with the contract's limits. `Instances.ONE` is for a backend that owns its data."""
    return Description(features, instances, KEY_BYTES_MAX, VALUE_BYTES_MAX)


def holds(expectation: Expectation, version: Optional[int]) -> bool:
    """Whether an expectation holds for an entry of this version, or for none."""
    match expectation:
        case MustBeAbsent():
            return version is None
        case MustBePresent():
            return version is not None
        case MustHaveVersion(wanted):
            return version == wanted


class KvBackend(ABC):
    """A key-value backend."""

    @classmethod
    @abstractmethod
    def configure(cls, settings: Settings) -> "KvBackend":
        """Makes the instance. `invalid` for a setting that is unknown, missing or makes no sense, naming it."""

    @abstractmethod
    def describe(self) -> Description:
        """What this backend is. Asked once, after `configure`."""

    def health(self) -> None:
        """Is the service behind this plugin reachable and usable?"""

    @abstractmethod
    def get(self, key: str) -> Optional[Entry]:
        """Reads one entry; a missing or expired one is `None`. Sees every commit that was answered before."""

    def get_many(self, keys: list[str]) -> list[Optional[Entry]]:
        """Reads many, answered by position; a key may occur twice."""
        return [self.get(key) for key in keys]

    def scan(self, start: str, end: Optional[str], limit: int, keys_only: bool) -> Page:
        """Reads one page of a range. Called only where `scan` is declared; `page` holds the limits.

        Ascending by the bytes of the keys, which is how Python compares texts.
        """
        raise unsupported("this backend can't scan")

    @abstractmethod
    def commit(self, checks: list[Check], writes: list[Write]) -> list[Outcome]:
        """Applies all checks and writes, or nothing. The checks see the state before; outcomes by position.

        Only what was declared arrives. A check that does not hold is `conflict` with its key; `indeterminate` or `other`
        says that it may have happened, any other error that nothing was written.
        """


class NextKv(Protocol):
    """The store behind a layer. In a component it is the host's; a test puts any object in its place."""

    def describe(self) -> Description: ...
    def get(self, key: str) -> Optional[Entry]: ...
    def get_many(self, keys: list[str]) -> list[Optional[Entry]]: ...
    def scan(self, start: str, end: Optional[str], limit: int, keys_only: bool) -> Page: ...
    def commit(self, checks: list[Check], writes: list[Write]) -> list[Outcome]: ...


class KvLayer(ABC):
    """A layer in front of another store, `next`.

    `get`, `scan`, `commit` and `describe` have no default on purpose: a layer that forgets one would let values around
    itself. One that only watches passes them on, in a line each.
    """

    next: NextKv

    @classmethod
    @abstractmethod
    def configure(cls, settings: Settings) -> "KvLayer":
        """Makes the instance. The next store can't be called yet."""

    @abstractmethod
    def describe(self) -> Description:
        """What the store is, seen through this layer: the next one's without what the layer can't do."""

    def health(self) -> None:
        """Is the layer usable? The host asks the next store itself."""

    @abstractmethod
    def get(self, key: str) -> Optional[Entry]:
        """As of `KvBackend.get`."""

    def get_many(self, keys: list[str]) -> list[Optional[Entry]]:
        """As of `KvBackend.get_many`; unless overridden, one by one through `get`."""
        return [self.get(key) for key in keys]

    @abstractmethod
    def scan(self, start: str, end: Optional[str], limit: int, keys_only: bool) -> Page:
        """As of `KvBackend.scan`."""

    @abstractmethod
    def commit(self, checks: list[Check], writes: list[Write]) -> list[Outcome]:
        """As of `KvBackend.commit`."""


def page(entries: Iterable[tuple[str, Entry]], limit: int, keys_only: bool) -> Page:
    """Fills a page from entries in the order of their keys, up to the limits of the contract."""
    taken: list[KeyedEntry] = []
    room = PAGE_BYTES_MAX
    for key, entry in entries:
        if keys_only:
            entry = Entry(b"", entry.version, entry.expires_in_ms)
        room -= len(key.encode()) + len(entry.value)
        if len(taken) == min(limit, ITEMS_MAX) or (room < 0 and taken):
            return Page(taken, key)
        taken.append(KeyedEntry(key, entry))
    return Page(taken, None)


def refuse_undeclared(declared: Description, checks: list[Check], writes: list[Write]) -> None:
    """Refuses a commit that needs what is not declared, or that breaks the contract's limits."""

    def needs(feature: Features, name: str) -> None:
        if feature not in declared.features:
            raise unsupported(f"this backend has no {name}")

    if len(checks) > ITEMS_MAX or len(writes) > ITEMS_MAX:
        raise invalid(f"more than {ITEMS_MAX} checks or writes in a commit")
    if checks:
        needs(Features.VERSIONS, "versions")
    keys = [write.key for write in writes]
    target = keys[0] if keys else checks[0].key if checks else None
    if len(writes) > 1 or any(check.key != target for check in checks):
        needs(Features.TRANSACTIONS, "transactions")
    total = 0
    for key in [check.key for check in checks] + keys:
        check_key(declared, key)
        total += len(key.encode())
    for write in writes:
        match write.change:
            case Put(PutValue(value, ttl_ms)):
                if ttl_ms is not None:
                    needs(Features.TTL, "times to live")
                    if not 1 <= ttl_ms <= TTL_MS_MAX:
                        raise invalid(f"a time to live of {ttl_ms} ms; it must be from 1 ms to 100 years")
                if len(value) > declared.max_value_bytes:
                    raise invalid(f"a value of {len(value)} bytes, more than {declared.max_value_bytes}")
                total += len(value)
            case Add():
                needs(Features.COUNTERS, "counters")
    # One write is the common case and may be as large as the backend's values.
    if len(writes) > 1 and total > COMMIT_BYTES_MAX:
        raise invalid(f"a commit of {total} bytes, more than {COMMIT_BYTES_MAX}")
    if len(set(keys)) < len(keys):
        raise invalid("a commit writes a key twice")


def check_key(declared: Description, key: str) -> None:
    """Refuses a key that is empty or too long."""
    size = len(key.encode())
    if size == 0:
        raise invalid("an empty key")
    if size > declared.max_key_bytes:
        raise invalid(f"a key of {size} bytes, more than {declared.max_key_bytes}")


def export_backend(plugin: Type[KvBackend]) -> tuple[type, type]:
    """The two exported classes: `Kv, Lifecycle = kv.export_backend(Mine)` at the top of the plugin's module."""
    return _backend(Cell(plugin))


def _backend(cell: Cell[Any]) -> tuple[type, type]:
    declared: list[Description] = []

    class Kv:
        def describe(self) -> Description:
            return declared[0]

        def get(self, key: str) -> Optional[Entry]:
            check_key(declared[0], key)
            return cell.get().get(key)

        def get_many(self, keys: list[str]) -> list[Optional[Entry]]:
            if len(keys) > ITEMS_MAX:
                raise invalid(f"{len(keys)} keys at once, more than {ITEMS_MAX}")
            for key in keys:
                check_key(declared[0], key)
            return cell.get().get_many(keys)

        def scan(self, start: str, end: Optional[str], limit: int, keys_only: bool) -> Page:
            if Features.SCAN not in declared[0].features:
                raise unsupported("this backend can't scan")
            if limit == 0:
                raise invalid("a scan of at most 0 entries")
            return cell.get().scan(start, end, limit, keys_only)

        def commit(self, checks: list[Check], writes: list[Write]) -> list[Outcome]:
            refuse_undeclared(declared[0], checks, writes)
            return cell.get().commit(checks, writes)

    return Kv, lifecycle(cell, lambda: declared.append(cell.get().describe()))


class Handoff(Protocol):
    """What a backend has besides, that hands its state to the next generation when it is swapped."""

    def save(self) -> bytes:
        """Everything that the next generation needs, in a form that says its own version. No call follows it."""

    def restore(self, snapshot: bytes) -> None:
        """Takes over what an earlier generation saved; before any other call. An error keeps that one in service."""


class KvBackendWithHandoff(KvBackend, Handoff):
    """A key-value backend that hands over: of the world `kv-backend-handoff`."""


def export_backend_with_handoff(plugin: Type[KvBackendWithHandoff]) -> tuple[type, type, type]:
    """The three exported classes: `Kv, Lifecycle, Handoff = kv.export_backend_with_handoff(Mine)`."""
    cell = Cell(plugin)
    exported, configured = _backend(cell)

    class Handoff:
        def save(self) -> bytes:
            return cell.get().save()

        def restore(self, snapshot: bytes) -> None:
            cell.get().restore(snapshot)

    return exported, configured, Handoff


def export_layer(plugin: Type[KvLayer]) -> tuple[type, type]:
    """The two exported classes: `Kv, Lifecycle = kv.export_layer(Mine)` at the top of the plugin's module."""
    cell = Cell(plugin)

    class Kv:
        def describe(self) -> Description:
            return cell.get().describe()

        def get(self, key: str) -> Optional[Entry]:
            return cell.get().get(key)

        def get_many(self, keys: list[str]) -> list[Optional[Entry]]:
            return cell.get().get_many(keys)

        def scan(self, start: str, end: Optional[str], limit: int, keys_only: bool) -> Page:
            return cell.get().scan(start, end, limit, keys_only)

        def commit(self, checks: list[Check], writes: list[Write]) -> list[Outcome]:
            return cell.get().commit(checks, writes)

    def connect() -> None:
        # The functions of the imported interface are the next store.
        cell.get().next = contract  # type: ignore[assignment]

    return Kv, lifecycle(cell, connect)
