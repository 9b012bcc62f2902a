"""What one generation hands to the next: a line that says what it is, a checksum, and the entries.

The one invariant: what `restore` takes over is whole, and of a form that it knows; anything else it refuses.
"""

import struct
import zlib

from larder_sdk import corrupt, unsupported
from larder_sdk.kv import Entry

from table import Table

MAGIC = b"larder kv-python "
"""Whose snapshot it is."""

FORMAT = b"1\n"
"""The form of what follows: a checksum of the rest; the last version; of each entry version, sizes, key and value."""

_CHECKSUM = struct.Struct("<I")
_VERSION = struct.Struct("<Q")
_ENTRY = struct.Struct("<QII")


def save(table: Table) -> bytes:
    """All entries, and the last version that was given."""
    parts = [_VERSION.pack(table.version_last)]
    for key, entry in table.range("", None):
        encoded = key.encode()
        parts += [_ENTRY.pack(entry.version, len(encoded), len(entry.value)), encoded, entry.value]
    body = b"".join(parts)
    return MAGIC + FORMAT + _CHECKSUM.pack(zlib.crc32(body)) + body


def restore(snapshot: bytes) -> Table:
    """The table that was saved: `unsupported` for another's snapshot or form, `corrupt` where it is damaged."""
    if not snapshot.startswith(MAGIC):
        raise unsupported("this is no snapshot of kv-python")
    at = len(MAGIC) + len(FORMAT)
    if snapshot[len(MAGIC) : at] != FORMAT:
        raise unsupported("a snapshot of another form than this kv-python knows")
    try:
        return _table(snapshot, at)
    except (struct.error, UnicodeDecodeError):
        pass
    # Outside of the handler: its cause would show bytes.
    raise corrupt("the snapshot is cut or damaged")


def _table(snapshot: bytes, at: int) -> Table:
    (checksum,) = _CHECKSUM.unpack_from(snapshot, at)
    at += _CHECKSUM.size
    if zlib.crc32(snapshot[at:]) != checksum:
        raise corrupt("the snapshot's checksum does not hold")
    table = Table()
    (table.version_last,) = _VERSION.unpack_from(snapshot, at)
    at += _VERSION.size
    while at < len(snapshot):
        version, key_bytes, value_bytes = _ENTRY.unpack_from(snapshot, at)
        at += _ENTRY.size
        key, value = snapshot[at : at + key_bytes], snapshot[at + key_bytes : at + key_bytes + value_bytes]
        at += key_bytes + value_bytes
        table.insert(key.decode(), Entry(value, version, None))
    return table
