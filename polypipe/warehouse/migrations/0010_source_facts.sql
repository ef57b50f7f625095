-- Facts about the source: combos, the age of what was read, and days whose activity is not proven complete.

ALTER TABLE wallet_activity ADD COLUMN is_combo BOOLEAN;
COMMENT ON COLUMN wallet_activity.is_combo IS 'True for a fill of a combo (parlay), which is traded by request for quote and cannot be copied from the book. Null in rows read before this was stored.';

ALTER TABLE crawls ADD COLUMN observed_at TIMESTAMPTZ;
COMMENT ON COLUMN crawls.observed_at IS 'Age of the crawled data: started_at, or earlier if a cache sent an older answer. Null for failed crawls and in rows before this was stored.';

ALTER TABLE crawls ADD COLUMN announced VARCHAR;
COMMENT ON COLUMN crawls.announced IS 'What the API announced during the crawl (headers Deprecation, Sunset, Warning 299), one line each; null if nothing.';

CREATE TABLE activity_unknown_days (
    wallet VARCHAR NOT NULL,
    day TIMESTAMPTZ NOT NULL,
    reason VARCHAR NOT NULL,
    read_at TIMESTAMPTZ NOT NULL
);
COMMENT ON TABLE activity_unknown_days IS 'Days that were read and are not proven complete; they are not in activity_days. The rows that came are in wallet_activity.';
COMMENT ON COLUMN activity_unknown_days.wallet IS 'Wallet address, lower case.';
COMMENT ON COLUMN activity_unknown_days.day IS 'Start of the UTC day.';
COMMENT ON COLUMN activity_unknown_days.reason IS 'What contradicts a complete day.';
COMMENT ON COLUMN activity_unknown_days.read_at IS 'Time the read started, minus the age of the oldest answer.';
COMMENT ON COLUMN activity_days.read_at IS 'Time the read started, minus the age of the oldest answer.';
