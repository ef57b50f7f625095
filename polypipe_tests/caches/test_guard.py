from hypothesis import given
from hypothesis import strategies as st

from polypipe.caches.guard import AGREEING_CRAWLS, Attempt, shrink_refusal, shrinks_too_much

counts = st.integers(0, 10_000)


def refused(entries, last, *earlier):
    return shrink_refusal(entries, last, "now", [Attempt(f"crawl {i}", n) for i, n in enumerate(earlier)])


def test_half_may_go_but_not_more():
    assert refused(50, 100) is None
    assert "from 100 entries to 49" in refused(49, 100)
    assert refused(1, None) is None


def test_empty_is_refused_even_at_first():
    assert "would be empty" in refused(0, None)
    assert "would be empty" in refused(0, 0)


def test_the_third_agreeing_crawl_is_believed():
    assert "number 1" in refused(10, 100)
    assert "number 2" in refused(10, 100, 10)
    assert refused(10, 100, 10, 11) is None
    assert refused(0, 100, 0, 0) is None


def test_a_crawl_that_disagrees_starts_the_count_again():
    assert "number 1" in refused(400, 10_000, 100, 100)
    assert "number 2" in refused(400, 10_000, 100, 410)
    assert refused(400, 10_000, 100, 410, 390) is None


def test_the_same_crawl_counts_once():
    attempts = [Attempt("a", 10), Attempt("a", 10), Attempt("a", 10)]
    assert "number 2" in shrink_refusal(10, 100, "b", attempts)
    assert "number 1" in shrink_refusal(10, 100, "a", attempts)


@given(counts, st.none() | counts, st.lists(counts, max_size=5))
def test_it_is_refused_exactly_when_it_shrinks_and_too_few_agree(entries, last, earlier):
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
