"""The plugin's logic, natively."""

from larder_sdk.policy import Batch, Insert, Limits
from plugin import Lru


def insert(slot: int) -> Insert:
    return Insert(slot, slot, 10, 0, None)


def observed(inserted=(), hits=(), removed=()) -> Batch:
    return Batch(list(removed), [insert(slot) for slot in inserted], list(hits), [])


def test_what_was_used_last_goes_last():
    lru = Lru()
    lru.observe(observed(inserted=[0, 1, 2], hits=[0]))
    assert lru.victims(30, 10) == [1, 2, 0]


def test_no_more_go_than_are_needed_or_allowed():
    lru = Lru()
    lru.observe(observed(inserted=[0, 1, 2]))
    assert lru.victims(11, 10) == [0, 1]
    assert lru.victims(100, 1) == [0]


def test_a_slot_that_was_freed_is_no_victim_whatever_is_told_of_it():
    lru = Lru()
    lru.observe(observed(inserted=[0, 1]))
    lru.observe(observed(hits=[0], removed=[0]))
    assert lru.victims(100, 10) == [1]


def test_what_fits_into_no_cache_is_not_let_in():
    lru = Lru()
    lru.resize(Limits(10, 9))
    assert lru.admit([insert(0)]) == [False]
