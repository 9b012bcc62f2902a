"""The layer, natively, over a store that keeps what arrives."""

import pytest

from larder_sdk import PluginError, Settings
from larder_sdk.kv import Add, Added, Entry, Put, PutValue, Write, Written
from plugin import KvRedact


class Next:
    """The store behind."""

    def __init__(self) -> None:
        self.writes: list[Write] = []

    def commit(self, checks, writes):
        self.writes += writes
        return [Added(1) if isinstance(write.change, Add) else Written(1) for write in writes]

    def get(self, key):
        return Entry(b"old@example.org", 1, None)


def layer(**settings: str) -> KvRedact:
    made = KvRedact.configure(Settings(settings.items()))
    made.next = Next()
    return made


def put(value: bytes, ttl_ms=None) -> Write:
    return Write("k", Put(PutValue(value, ttl_ms)))


def stored(redact: KvRedact, value: bytes) -> bytes:
    redact.commit([], [put(value)])
    return redact.next.writes[-1].change.value.value


@pytest.mark.parametrize(
    ("kind", "before", "after"),
    [
        ("email", "write to ann.b+c@mail.example.org!", "write to [redacted]!"),
        ("email", "user@localhost and @name and a@b", "user@localhost and @name and a@b"),
        ("authorization", "Authorization: Bearer abc.def-123==\nHost: x", "Authorization: Bearer [redacted]\nHost: x"),
        ("url-password", "https://ann:s3cret@example.org/a?b=c:d@e", "https://[redacted]@example.org/a?b=c:d@e"),
        ("url-password", "https://example.org:80/a@b", "https://example.org:80/a@b"),
        ("access-key", "id=AKIA" + "A1" * 8 + ";", "id=[redacted];"),
        ("access-key", "ghp_" + "a" * 36, "[redacted]"),
    ],
)
def test_what_is_known_by_name_is_found_and_nothing_beside_it(kind, before, after):
    assert stored(layer(kinds=kind), before.encode()) == after.encode()


def test_own_patterns_are_lines_and_the_replacement_is_taken_as_it_is():
    redact = layer(patterns="\\d{3}-\\d{2}\n\nsecret \\w+\n", replacement=r"\1")
    assert stored(redact, b"123-45 and secret word") == rb"\1 and \1"


def test_a_value_in_which_nothing_is_found_is_passed_on_as_it_is():
    redact = layer(kinds="email")
    write = put("nothing here: ü\r\n".encode(), 1_000)
    redact.commit([], [write])
    assert redact.next.writes[0] is write


def test_the_time_to_live_stays_with_a_value_that_was_changed():
    redact = layer(kinds="email")
    redact.commit([], [put(b"a@b.org", 1_000)])
    assert redact.next.writes[0].change.value == PutValue(b"[redacted]", 1_000)


def test_what_is_no_text_is_passed_on_or_refused_with_all_of_its_commit():
    assert stored(layer(kinds="email"), b"\xff a@b.org") == b"\xff a@b.org"
    strict = layer(kinds="email", binary="refuse")
    with pytest.raises(PluginError) as raised:
        strict.commit([], [put(b"text"), put(b"\xff s3cret")])
    assert strict.next.writes == []
    assert "`k`" in str(raised.value) and "s3cret" not in str(raised.value)
    assert raised.value.__suppress_context__


def test_counters_and_what_was_stored_before_are_not_touched():
    redact = layer(kinds="email")
    assert redact.commit([], [Write("n", Add(1))]) == [Added(1)]
    assert redact.get("k").value == b"old@example.org"


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({}, "nothing would be redacted"),
        ({"kinds": "email, phone"}, "`phone`"),
        ({"patterns": "a\n("}, "line 2"),
        ({"patterns": "a*"}, "the empty text"),
        ({"patterns": "\n".join(["a"] * 65)}, "65 patterns"),
        ({"kinds": "email", "binary": "yes"}, "pass, refuse"),
        ({"kind": "email"}, "unknown setting `kind`"),
    ],
)
def test_settings_that_make_no_sense_are_refused_by_name(settings, says):
    with pytest.raises(PluginError) as raised:
        layer(**settings)
    assert says in raised.value.value.value
