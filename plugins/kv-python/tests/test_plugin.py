"""The plugin, natively. The conformance suite holds the component to the whole contract."""

import pytest

from larder_sdk import PluginError, Settings, conflict
from larder_sdk.kv import Add, Added, Check, Delete, Deleted, MustBeAbsent, MustHaveVersion, Put, PutValue, Write, Written
from plugin import KvPython


def put(key: str, value: bytes) -> Write:
    return Write(key, Put(PutValue(value, None)))


def plugin(*writes: Write) -> KvPython:
    made = KvPython.configure(Settings([]))
    made.commit([], list(writes))
    return made


def everything(of: KvPython) -> list[tuple[str, bytes, int]]:
    page = of.scan("", None, 1_000, False)
    return [(found.key, found.entry.value, found.entry.version) for found in page.entries]


def test_entries_come_in_the_order_of_the_bytes_of_their_keys():
    keys = ["b", "a", "ü", "\U0001f600", "\uffff", "a/1", "Z"]
    found = [key for key, _, _ in everything(plugin(*[put(key, b"") for key in keys]))]
    assert found == sorted(keys, key=str.encode)


def test_a_commit_that_fails_writes_nothing():
    of = plugin(put("n", b"no number"))
    with pytest.raises(PluginError):
        of.commit([], [put("a", b"1"), Write("n", Add(1))])
    with pytest.raises(PluginError) as raised:
        of.commit([Check("n", MustBeAbsent())], [put("a", b"1")])
    assert raised.value == conflict("n")
    assert everything(of) == [("n", b"no number", 1)]


def test_versions_are_never_given_twice_not_even_after_a_delete_or_a_swap():
    of = plugin(put("a", b"1"))
    assert of.commit([Check("a", MustHaveVersion(1))], [Write("a", Delete())]) == [Deleted(True)]
    assert of.commit([], [Write("a", Delete())]) == [Deleted(False)]
    assert of.commit([], [put("a", b"1")]) == [Written(2)]
    of.commit([], [Write("a", Delete())])
    next_one = plugin()
    next_one.restore(of.save())
    assert next_one.commit([], [put("a", b"1")]) == [Written(3)]


def test_the_next_generation_has_what_the_last_one_had():
    of = plugin(put("a", b"\xff\x00"), put("ü", b""), Write("n", Add(7)))
    next_one = plugin()
    next_one.restore(of.save())
    assert everything(next_one) == everything(of)
    assert next_one.commit([], [Write("n", Add(1))]) == [Added(8)]


def test_a_snapshot_that_is_damaged_or_anothers_is_refused_and_changes_nothing():
    saved = plugin(put("a", b"1"), put("b", b"2")).save()
    of = plugin(put("mine", b""))
    for at in range(len(saved)):
        damaged = bytearray(saved)
        damaged[at] ^= 1
        for bad in [bytes(damaged), saved[:at]]:
            with pytest.raises(PluginError) as raised:
                of.restore(bad)
            assert type(raised.value.value).__name__ in ("Error_Unsupported", "Error_Corrupt")
    assert [key for key, _, _ in everything(of)] == ["mine"]


def test_a_setting_is_refused_by_name():
    with pytest.raises(PluginError) as raised:
        KvPython.configure(Settings([("folder", "/data")]))
    assert "`folder`" in raised.value.value.value
