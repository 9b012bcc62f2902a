"""The plugin's logic, natively. `larder plugin check` holds the component to the whole contract."""

import pytest

from componentize_py_types import Ok
from larder_sdk import PluginError, Settings
from larder_sdk.blob import Metadata, PutOptions
from plugin import Freezer


class Next:
    """The store behind: it keeps the paths that arrive."""

    def __init__(self) -> None:
        self.paths = []

    def put(self, path, data, options):
        self.paths.append(path)
        return Metadata(len(data), None, None, None, [])

    def delete_many(self, paths):
        self.paths += paths
        return [Ok(None) for _ in paths]


def freezer(*settings: tuple[str, str]) -> Freezer:
    made = Freezer.configure(Settings(settings))
    made.next = Next()
    return made


def test_what_is_frozen_is_not_changed_and_all_else_is():
    layer = freezer(("frozen", "releases/"))
    with pytest.raises(PluginError):
        layer.put("releases/1", b"", PutOptions(None, [], None))
    layer.put("drafts/1", b"", PutOptions(None, [], None))
    kept, gone = layer.delete_many(["releases/1", "drafts/1"])
    assert isinstance(kept, PluginError) and gone == Ok(None)
    assert layer.next.paths == ["drafts/1", "drafts/1"]


def test_without_the_setting_nothing_is_frozen():
    for settings in [(), (("frozen", ""),)]:
        freezer(*settings).put("a", b"", PutOptions(None, [], None))


def test_an_unknown_setting_is_refused_by_name():
    with pytest.raises(PluginError) as raised:
        freezer(("frosen", "a"))
    assert "frosen" in raised.value.value.value
