"""The number of outcomes of neg-risk events, as far as it is stored."""

OUTCOMES = """
SELECT slug, outcomes FROM event_sizes WHERE outcomes IS NOT NULL
UNION ALL
SELECT events.slug, count(*) FROM markets JOIN events USING (event_id)
WHERE coalesce(markets.neg_risk, events.neg_risk)
    AND events.slug NOT IN (SELECT slug FROM event_sizes WHERE outcomes IS NOT NULL)
GROUP BY events.slug
"""
"""SQL: slug and number of outcomes of each known event. The crawl's number lacks markets that are closed or not traded yet;
it counts until the event is read by its slug."""
