"""The plugin's logic, natively. `larder plugin check` holds the component to the whole contract."""

import pytest

from larder_sdk import PluginError, Settings, kv
from larder_sdk.kv import Features, Put, PutValue, Write, Written
from plugin import Guard


class Next:
    """The store behind: it keeps what arrives."""

    def __init__(self) -> None:
        self.writes = []

    def describe(self):
        return kv.description(Features.SCAN)

    def commit(self, checks, writes):
        self.writes += writes
        return [Written(1) for _ in writes]


def guard(**settings: str) -> Guard:
    made = Guard.configure(Settings((name.replace("_", "-"), value) for name, value in settings.items()))
    made.next = Next()
    return made


def put(value: bytes) -> Write:
    return Write("a", Put(PutValue(value, None)))


def test_a_value_that_is_too_large_never_arrives():
    layer = guard(value_bytes_max="3")
    with pytest.raises(PluginError):
        layer.commit([], [put(b"four")])
    assert layer.next.writes == []
    assert layer.commit([], [put(b"six")]) == [Written(1)]


def test_the_limit_is_declared_and_never_raised():
    assert guard(value_bytes_max="3").describe().max_value_bytes == 3
    assert guard(value_bytes_max=str(1 << 40)).describe().max_value_bytes == kv.VALUE_BYTES_MAX


def test_a_setting_that_makes_no_sense_is_refused_by_name():
    for settings in [{"value_bytes_max": "much"}, {"value_byte_max": "3"}]:
        with pytest.raises(PluginError) as raised:
            guard(**settings)
        assert next(iter(settings)).replace("_", "-") in raised.value.value.value
