"""The contract's errors, to raise: `raise invalid("an empty name")`. Their texts are for people and hold no secrets."""

from typing import Optional

from componentize_py_types import Err
from wit_world.imports import types

PluginError = Err
"""What a plugin raises and what the next store's functions raise. Its `value` is one of `wit_world.imports.types.Error`."""


def invalid(message: str) -> Err:
    """The request is malformed; nothing was written."""
    return Err(types.Error_Invalid(message))


def unsupported(message: str) -> Err:
    """The plugin can't do this; nothing was written."""
    return Err(types.Error_Unsupported(message))


def conflict(key: str) -> Err:
    """A check on this key or path did not hold; nothing was written."""
    return Err(types.Error_Conflict(key))


def unavailable(message: str, retry_after_ms: Optional[int] = None) -> Err:
    """Temporary; nothing was written."""
    return Err(types.Error_Unavailable(types.Unavailable(message, retry_after_ms)))


def indeterminate(message: str) -> Err:
    """The write may or may not have happened."""
    return Err(types.Error_Indeterminate(message))


def denied(message: str) -> Err:
    """The service refused the credentials, or the host a capability; nothing was written."""
    return Err(types.Error_Denied(message))


def corrupt(message: str) -> Err:
    """The stored bytes are damaged; nothing was written."""
    return Err(types.Error_Corrupt(message))


def stale_cursor(message: str) -> Err:
    """A listing can't be continued from this cursor."""
    return Err(types.Error_StaleCursor(message))


def other(message: str) -> Err:
    """Anything else. Of a write it says nothing: it may or may not have happened."""
    return Err(types.Error_Other(message))
