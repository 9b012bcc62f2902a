"""Write a larder plugin in Python: a base class per world, errors to raise, and one export function each.

| world | base class | export |
|---|---|---|
| `kv-backend` | `larder_sdk.kv.KvBackend` | `larder_sdk.kv.export_backend` |
| `kv-layer` | `larder_sdk.kv.KvLayer` | `larder_sdk.kv.export_layer` |
| `blob-backend` | `larder_sdk.blob.BlobBackend` | `larder_sdk.blob.export_backend` |
| `blob-layer` | `larder_sdk.blob.BlobLayer` | `larder_sdk.blob.export_layer` |
| `cache-policy` | `larder_sdk.policy.CachePolicy` | `larder_sdk.policy.export_policy` |

The instance is an object of the author's own class, made by its `configure` from the `Settings` of the configuration.
A plugin has one thread and is never entered twice, so that nothing is locked. Its types are the contract's own, made
of `wit/` by componentize-py; `stubs` has them for type checkers and for tests that run natively.

An exception that is not one of `larder_sdk.errors` is a bug in the plugin: the host discards the instance and reports
an error of kind `plugin`.

componentize-py takes a snapshot of the interpreter after it has imported the plugin: what a plugin imports must be
imported at the top of a module, and nothing may be read from the machine there.
"""

from larder_sdk.errors import (
    PluginError,
    conflict,
    corrupt,
    denied,
    indeterminate,
    invalid,
    other,
    stale_cursor,
    unavailable,
    unsupported,
)
from larder_sdk.settings import Settings

__all__ = [
    "PluginError",
    "Settings",
    "conflict",
    "corrupt",
    "denied",
    "indeterminate",
    "invalid",
    "other",
    "stale_cursor",
    "unavailable",
    "unsupported",
]
