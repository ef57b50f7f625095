from hypothesis import given
from hypothesis import strategies as st

from polypipe.caches.guard import AGREEING_CRAWLS, Refusal, shrink_refusal, shrinks_too_much

counts = st.integers(0, 10_000)


def refused(entries, last, *earlier):
    return shrink_refusal(entries, last, "now", [Refusal(f"crawl {i}", n) for i, n in enumerate(earlier)])


def test_more_than_half_of_the_entries_lost_is_refused():
    assert refused(50, 100) is None
    assert "from 100 entries to 49" in refused(49, 100)
    assert refused(1, None) is None


def test_empty_file_is_refused_even_as_the_first():
    assert "would be empty" in refused(0, None)
    assert "would be empty" in refused(0, 0)


def test_third_agreeing_crawl_is_accepted():
    assert "number 1" in refused(10, 100)
    assert "number 2" in refused(10, 100, 10)
    assert refused(10, 100, 10, 11) is None
    assert refused(0, 100, 0, 0) is None


def test_disagreeing_crawl_restarts_the_count():
    assert "number 1" in refused(400, 10_000, 100, 100)
    assert "number 2" in refused(400, 10_000, 100, 410)
    assert refused(400, 10_000, 100, 410, 390) is None


def test_repeated_crawl_counts_once():
    refusals = [Refusal("a", 10), Refusal("a", 10), Refusal("a", 10)]
    assert "number 2" in shrink_refusal(10, 100, "b", refusals)
    assert "number 1" in shrink_refusal(10, 100, "a", refusals)


@given(counts, st.none() | counts, st.lists(counts, max_size=5))
def test_content_is_refused_only_if_it_shrinks_and_too_few_crawls_agree(entries, last, earlier):
    reason = refused(entries, last, *earlier)
    if not shrinks_too_much(entries, last):
        assert reason is None
    elif len(earlier) + 1 < AGREEING_CRAWLS:
        assert reason is not None
    elif reason is None:
        lately = [*earlier, entries][-AGREEING_CRAWLS:]
        assert max(lately) - min(lately) <= 2 * max(10, entries / 10)


@given(counts, counts)
def test_growth_is_never_refused(last, more):
    assert refused(last + more + 1, last) is None
