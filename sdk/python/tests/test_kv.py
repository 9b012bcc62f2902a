"""What the SDK refuses for a backend, and the small things that it does for one."""

import pytest

from larder_sdk import PluginError, Settings, counter, invalid, kv
from larder_sdk.kv import (
    Add,
    Check,
    Entry,
    Features,
    MustBeAbsent,
    MustBePresent,
    MustHaveVersion,
    Put,
    PutValue,
    Write,
    Written,
)

ALL = Features.SCAN | Features.TTL | Features.VERSIONS | Features.TRANSACTIONS | Features.COUNTERS


def put(key="a", value=b"1", ttl_ms=None) -> Write:
    return Write(key, Put(PutValue(value, ttl_ms)))


def refusal(act) -> str:
    with pytest.raises(PluginError) as raised:
        act()
    return type(raised.value.value).__name__


@pytest.mark.parametrize(
    ("checks", "writes", "needed"),
    [
        ([], [put()], []),
        ([], [put(ttl_ms=1)], [Features.TTL]),
        ([Check("a", MustBeAbsent())], [put()], [Features.VERSIONS]),
        ([Check("b", MustBeAbsent())], [put()], [Features.VERSIONS, Features.TRANSACTIONS]),
        ([Check("a", MustBeAbsent()), Check("b", MustBeAbsent())], [], [Features.VERSIONS, Features.TRANSACTIONS]),
        ([], [put("a"), put("b")], [Features.TRANSACTIONS]),
        ([], [Write("a", Add(1))], [Features.COUNTERS]),
    ],
)
def test_each_part_of_a_commit_needs_its_feature(checks, writes, needed):
    kv.refuse_undeclared(kv.description(ALL), checks, writes)
    for feature in Features:
        declared = kv.description(ALL & ~feature)
        if feature in needed:
            assert refusal(lambda: kv.refuse_undeclared(declared, checks, writes)) == "Error_Unsupported"
        else:
            kv.refuse_undeclared(declared, checks, writes)


@pytest.mark.parametrize(
    "writes",
    [
        [put("")],
        [put("k" * 2_049)],
        [put("ü" * 1_025)],
        [put(value=bytes((8 << 20) + 1))],
        [put("a"), put("b"), put("a")],
        [put(ttl_ms=0)],
        [put(ttl_ms=kv.TTL_MS_MAX + 1)],
        [put(str(number)) for number in range(1_001)],
        [put("a", bytes(8 << 20)), put("b", bytes(8 << 20))],
    ],
)
def test_limits_are_held_whatever_is_declared(writes):
    assert refusal(lambda: kv.refuse_undeclared(kv.description(ALL), [], writes)) == "Error_Invalid"


def test_expectations_see_versions_and_absence():
    assert kv.holds(MustBeAbsent(), None) and not kv.holds(MustBeAbsent(), 1)
    assert kv.holds(MustBePresent(), 1) and not kv.holds(MustBePresent(), None)
    assert kv.holds(MustHaveVersion(1), 1) and not kv.holds(MustHaveVersion(1), 2)


def test_a_page_ends_at_its_limits_and_holds_one_entry_however_large():
    def entries(size):
        return [(key, Entry(bytes(size), 1, None)) for key in "abc"]

    assert kv.page(entries(1), 2, False).next == "c"
    page = kv.page(entries(kv.PAGE_BYTES_MAX), 10, False)
    assert len(page.entries) == 1 and page.next == "b"
    page = kv.page(entries(kv.PAGE_BYTES_MAX), 10, True)
    assert len(page.entries) == 3 and page.next is None and page.entries[0].entry.value == b""


def test_only_the_canonical_form_is_a_counter():
    assert counter.decode(b"-9223372036854775808") == -(2**63)
    for bad in [b"", b"+1", b" 1", b"01", b"-0", b"1.0", b"9223372036854775808", b"1\n", b"x"]:
        assert counter.decode(bad) is None, bad
    assert counter.add(None, -3, "k") == -3
    assert refusal(lambda: counter.add(b"9223372036854775807", 1, "k")) == "Error_Invalid"
    assert refusal(lambda: counter.add(b"seven", 1, "k")) == "Error_Invalid"


class Small(kv.KvBackend):
    """Declares nothing, and says which of its methods were called."""

    calls: list[str] = []

    @classmethod
    def configure(cls, settings):
        settings.finish()
        return cls()

    def describe(self):
        return kv.description(Features(0))

    def get(self, key):
        self.calls.append(key)
        return None

    def commit(self, checks, writes):
        return [Written(0) for _ in writes]


def test_what_is_not_declared_never_reaches_the_backend():
    exported, lifecycle = kv.export_backend(Small)
    assert refusal(lambda: lifecycle().configure([("limit", "1")])) == "Error_Invalid"
    lifecycle().configure([])
    plugin = exported()
    assert plugin.get_many(["a", "a"]) == [None, None] and Small.calls == ["a", "a"]
    assert plugin.commit([], [put()]) == [Written(0)]
    assert refusal(lambda: plugin.scan("", None, 1, False)) == "Error_Unsupported"
    assert refusal(lambda: plugin.commit([], [Write("a", Add(1))])) == "Error_Unsupported"
    assert refusal(lambda: plugin.get("")) == "Error_Invalid"


def test_a_value_of_a_setting_shows_in_no_text():
    settings = Settings([("key", "s3cret"), ("limit", "s3cret"), ("mode", "s3cret")])
    assert "s3cret" not in repr(settings)
    for act in [
        lambda: settings.parse("limit", int, "a whole number"),
        lambda: settings.one_of("mode", {"a": 1}),
        settings.finish,
    ]:
        with pytest.raises(PluginError) as raised:
            act()
        assert "s3cret" not in repr(raised.value) and raised.value.__context__ is None
    assert Settings([]).take("nothing") is None
    assert invalid("x") == invalid("x")
