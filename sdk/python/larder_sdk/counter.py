"""Counters are stored as ASCII decimal on every backend; this is the one reading of it."""

import re
from typing import Optional

from larder_sdk.errors import invalid

_CANONICAL = re.compile(rb"0|-?[1-9][0-9]{0,18}")
_RANGE = range(-(2**63), 2**63)


def encode(value: int) -> bytes:
    """The bytes of a counter."""
    return str(value).encode("ascii")


def decode(value: bytes) -> Optional[int]:
    """Reads a counter: the canonical decimal form only, without plus sign, blanks or leading zeros."""
    if not _CANONICAL.fullmatch(value):
        return None
    number = int(value)
    return number if number in _RANGE else None


def add(stored: Optional[bytes], delta: int, key: str) -> int:
    """Adds to a stored counter; what is absent counts as 0.

    `invalid` where the stored value is no counter, or the sum leaves the range.
    """
    current = 0 if stored is None else decode(stored)
    if current is None:
        raise invalid(f"the value of `{key}` is no counter")
    if current + delta not in _RANGE:
        raise invalid(f"adding {delta} to the counter `{key}` leaves its range")
    return current + delta
