"""The plugin's logic, natively. `larder plugin check` holds the component to the whole contract."""

import pytest

from larder_sdk import PluginError, conflict
from larder_sdk.kv import Add, Added, Check, Delete, Deleted, MustBeAbsent, Put, PutValue, Write, Written
from plugin import Shelf


def put(key: str, value: bytes) -> Write:
    return Write(key, Put(PutValue(value, None)))


def test_what_was_put_is_read_until_it_is_deleted():
    shelf = Shelf()
    assert shelf.commit([], [put("a", b"1")]) == [Written(1)]
    assert shelf.get("a").value == b"1"
    assert shelf.commit([], [Write("a", Delete())]) == [Deleted(True)]
    assert shelf.get("a") is None
    assert shelf.scan("", None, 10, False).entries == []


def test_a_commit_that_fails_writes_nothing():
    shelf = Shelf()
    shelf.commit([], [put("n", b"no number")])
    with pytest.raises(PluginError):
        shelf.commit([], [put("a", b"1"), Write("n", Add(1))])
    with pytest.raises(PluginError) as raised:
        shelf.commit([Check("n", MustBeAbsent())], [put("a", b"1")])
    assert raised.value == conflict("n")
    assert shelf.get("a") is None


def test_a_counter_begins_at_zero():
    shelf = Shelf()
    assert shelf.commit([], [Write("n", Add(-2))]) == [Added(-2)]
    assert shelf.get("n").value == b"-2"


def test_a_scan_goes_on_where_its_page_ended():
    shelf = Shelf()
    shelf.commit([], [put("a", b"1"), put("c", b"3"), put("b", b"2")])
    page = shelf.scan("a", "c", 1, True)
    assert [entry.key for entry in page.entries] == ["a"] and page.next == "b"
    page = shelf.scan(page.next, "c", 1, True)
    assert [entry.key for entry in page.entries] == ["b"] and page.next is None
