"""The plugin's logic, natively. `larder plugin check` holds the component to the whole contract."""

import pytest

from larder_sdk import PluginError, conflict
from larder_sdk.blob import MustBeAbsent, MustHaveEtag, PutOptions
from plugin import Shelf


def options(condition=None) -> PutOptions:
    return PutOptions(None, [], condition)


def test_a_range_is_short_only_at_the_end():
    shelf = Shelf()
    shelf.put("a", b"abcdef", options())
    for offset, length, expected in [(0, 3, b"abc"), (4, 10, b"ef"), (6, 1, b""), (2**64 - 1, 1, b"")]:
        assert shelf.read("a", offset, length) == expected
    assert shelf.read("b", 0, 1) is None


def test_an_upload_is_visible_once_it_is_finished_in_the_order_of_its_parts():
    shelf = Shelf()
    upload = shelf.begin("a", options())
    second = shelf.part(upload, 1, b"def")
    first = shelf.part(upload, 0, b"abc")
    assert shelf.stat("a") is None
    assert shelf.finish(upload, [first, second]).size == 6
    assert shelf.read("a", 0, 10) == b"abcdef"
    with pytest.raises(PluginError):
        shelf.finish(upload, [])


def test_a_condition_lets_one_writer_through():
    shelf = Shelf()
    etag = shelf.put("a", b"1", options(MustBeAbsent())).etag
    shelf.put("a", b"2", options(MustHaveEtag(etag)))
    for condition in [MustBeAbsent(), MustHaveEtag(etag)]:
        with pytest.raises(PluginError) as raised:
            shelf.put("a", b"3", options(condition))
        assert raised.value == conflict("a")


def test_a_listing_goes_on_where_its_page_ended():
    shelf = Shelf()
    for path in ["a/1", "a/2", "b"]:
        shelf.put(path, b"", options())
    page = shelf.list("a/", None, 1)
    assert [entry.path for entry in page.entries] == ["a/1"] and page.next == "a/2"
    page = shelf.list("a/", page.next, 1)
    assert [entry.path for entry in page.entries] == ["a/2"] and page.next is None
