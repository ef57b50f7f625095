-- Bookkeeping of the warehouse itself.

CREATE TABLE merged_batches (
    batch_id VARCHAR NOT NULL,
    merged_at TIMESTAMPTZ NOT NULL
);
COMMENT ON TABLE merged_batches IS 'Spooled batches whose rows are in the tables: what makes merging exactly-once across kills.';
COMMENT ON COLUMN merged_batches.batch_id IS 'Name of the batch directory in the spool.';
COMMENT ON COLUMN merged_batches.merged_at IS 'When it was merged; rows are dropped after 30 days.';

CREATE TABLE partitions (
    table_name VARCHAR NOT NULL,
    day DATE,
    version BIGINT NOT NULL,
    row_count BIGINT NOT NULL
);
COMMENT ON TABLE partitions IS 'What must be published: one row a state table, one row a UTC day of a time table.';
COMMENT ON COLUMN partitions.table_name IS 'Name of the table.';
COMMENT ON COLUMN partitions.day IS 'UTC day of a time table; null for a state table.';
COMMENT ON COLUMN partitions.version IS 'Published version in which this part last changed.';
COMMENT ON COLUMN partitions.row_count IS 'Rows of this part; 0 means that no file is published for it.';

-- The market side.

CREATE TABLE events (
    event_id VARCHAR NOT NULL,
    slug VARCHAR,
    title VARCHAR,
    series_slug VARCHAR,
    tag_ids VARCHAR[],
    live BOOLEAN,
    ended BOOLEAN,
    neg_risk BOOLEAN,
    start_time TIMESTAMPTZ,
    crawl_id VARCHAR
);
COMMENT ON TABLE events IS 'Open events of the universe as of the last complete crawl; replaced whole by each.';
COMMENT ON COLUMN events.event_id IS 'Gamma event id.';
COMMENT ON COLUMN events.slug IS 'Event slug, as in the page address.';
COMMENT ON COLUMN events.title IS 'Title as shown to people; may hold any Unicode.';
COMMENT ON COLUMN events.series_slug IS 'Slug of the series (atp, ligue-1, ...); null when the event has none.';
COMMENT ON COLUMN events.tag_ids IS 'Ids of all tags that the event carries.';
COMMENT ON COLUMN events.live IS 'In play, as the source says it; null when absent there.';
COMMENT ON COLUMN events.ended IS 'Over, as the source says it; null when absent there.';
COMMENT ON COLUMN events.neg_risk IS 'Neg-risk flag of the event; null when absent.';
COMMENT ON COLUMN events.start_time IS 'Start of the match in UTC; null when unknown.';
COMMENT ON COLUMN events.crawl_id IS 'Crawl that brought this row: crawls.crawl_id.';

CREATE TABLE markets (
    market_id VARCHAR NOT NULL,
    event_id VARCHAR NOT NULL,
    condition_id VARCHAR,
    question VARCHAR,
    slug VARCHAR,
    sports_market_type VARCHAR,
    neg_risk BOOLEAN,
    version VARCHAR,
    token_count INTEGER,
    crawl_id VARCHAR
);
COMMENT ON TABLE markets IS 'Tradable markets of the open events as of the last complete crawl; replaced whole by each.';
COMMENT ON COLUMN markets.market_id IS 'Gamma market id.';
COMMENT ON COLUMN markets.event_id IS 'Event that the market belongs to.';
COMMENT ON COLUMN markets.condition_id IS 'Condition id on chain; null when absent.';
COMMENT ON COLUMN markets.question IS 'Question as shown to people.';
COMMENT ON COLUMN markets.slug IS 'Slug of the market itself, not of its event.';
COMMENT ON COLUMN markets.sports_market_type IS 'sportsMarketType as the source says it; an open set; null when absent.';
COMMENT ON COLUMN markets.neg_risk IS 'Neg-risk flag of the market itself; null when absent.';
COMMENT ON COLUMN markets.version IS 'Protocol version (v1, v2); null when absent, which means v1.';
COMMENT ON COLUMN markets.token_count IS 'Token ids read from the market.';
COMMENT ON COLUMN markets.crawl_id IS 'Crawl that brought this row: crawls.crawl_id.';

CREATE TABLE tokens (
    token_id VARCHAR NOT NULL,
    market_id VARCHAR NOT NULL,
    event_id VARCHAR NOT NULL,
    outcome_index INTEGER,
    slug VARCHAR,
    neg_risk BOOLEAN NOT NULL,
    live BOOLEAN NOT NULL,
    is_ligue1 BOOLEAN NOT NULL,
    is_tennis BOOLEAN NOT NULL,
    is_atp BOOLEAN NOT NULL,
    tennis_category VARCHAR,
    crawl_id VARCHAR
);
COMMENT ON TABLE tokens IS 'Every token of the universe with what the bot''s files say about it; replaced whole by each complete crawl.';
COMMENT ON COLUMN tokens.token_id IS 'Token id: a decimal string of up to 78 digits.';
COMMENT ON COLUMN tokens.market_id IS 'Market of the token.';
COMMENT ON COLUMN tokens.event_id IS 'Event of the token.';
COMMENT ON COLUMN tokens.outcome_index IS 'Position of the token in its market, from 0.';
COMMENT ON COLUMN tokens.slug IS 'Slug of the event; null when the event has none.';
COMMENT ON COLUMN tokens.neg_risk IS 'Resolved neg-risk: the market''s flag, else the event''s, else false.';
COMMENT ON COLUMN tokens.live IS 'In play at the crawl: live is exactly true and ended is not true.';
COMMENT ON COLUMN tokens.is_ligue1 IS 'The event carries tag 102070.';
COMMENT ON COLUMN tokens.is_tennis IS 'The event carries tag 864 (all tennis).';
COMMENT ON COLUMN tokens.is_atp IS 'Tennis of the men''s tour.';
COMMENT ON COLUMN tokens.tennis_category IS 'moneyline, set_handicap, game_totals, set_totals, tournament_winner or other; null when not tennis.';
COMMENT ON COLUMN tokens.crawl_id IS 'Crawl that brought this row: crawls.crawl_id.';

CREATE TABLE crawls (
    crawl_id VARCHAR NOT NULL,
    kind VARCHAR NOT NULL,
    started_at TIMESTAMPTZ,
    finished_at TIMESTAMPTZ NOT NULL,
    pages INTEGER,
    requests INTEGER,
    events INTEGER,
    markets INTEGER,
    tokens INTEGER,
    dropped INTEGER,
    skipped INTEGER,
    bytes BIGINT,
    seconds DOUBLE,
    complete BOOLEAN NOT NULL,
    error VARCHAR
);
COMMENT ON TABLE crawls IS 'One row a crawl of the exchange, failed ones too.';
COMMENT ON COLUMN crawls.crawl_id IS 'Id of the crawl.';
COMMENT ON COLUMN crawls.kind IS 'universe (all open events) or live (events in play).';
COMMENT ON COLUMN crawls.started_at IS 'When the first request was sent.';
COMMENT ON COLUMN crawls.finished_at IS 'When the crawl ended, well or badly; the UTC day of the row.';
COMMENT ON COLUMN crawls.pages IS 'Pages read.';
COMMENT ON COLUMN crawls.requests IS 'Requests sent, retries included.';
COMMENT ON COLUMN crawls.events IS 'Events kept.';
COMMENT ON COLUMN crawls.markets IS 'Markets kept.';
COMMENT ON COLUMN crawls.tokens IS 'Token ids kept.';
COMMENT ON COLUMN crawls.dropped IS 'Rows that could not be read.';
COMMENT ON COLUMN crawls.skipped IS 'Markets without usable token ids.';
COMMENT ON COLUMN crawls.bytes IS 'Body bytes received.';
COMMENT ON COLUMN crawls.seconds IS 'Wall time in seconds.';
COMMENT ON COLUMN crawls.complete IS 'Proven complete: ended on an absent cursor and no page failed.';
COMMENT ON COLUMN crawls.error IS 'Why it is not complete; null when it is.';

CREATE TABLE publications (
    publication_id VARCHAR NOT NULL,
    file VARCHAR NOT NULL,
    time TIMESTAMPTZ NOT NULL,
    observed_at TIMESTAMPTZ,
    crawl_id VARCHAR,
    entries BIGINT,
    bytes BIGINT,
    sha256 VARCHAR,
    added BIGINT,
    removed BIGINT,
    changed BIGINT,
    accepted BOOLEAN NOT NULL,
    rewritten BOOLEAN,
    reason VARCHAR
);
COMMENT ON TABLE publications IS 'One row each time a cache file of the bot was offered for publishing, refusals too.';
COMMENT ON COLUMN publications.publication_id IS 'Id of the publication.';
COMMENT ON COLUMN publications.file IS 'Name of the file in the bot''s directory.';
COMMENT ON COLUMN publications.time IS 'When the decision was taken; the UTC day of the row.';
COMMENT ON COLUMN publications.observed_at IS 'When the data behind the file was observed at the source.';
COMMENT ON COLUMN publications.crawl_id IS 'Crawl behind the file: crawls.crawl_id; null when there was none.';
COMMENT ON COLUMN publications.entries IS 'Entries in the file.';
COMMENT ON COLUMN publications.bytes IS 'Size of the file in bytes.';
COMMENT ON COLUMN publications.sha256 IS 'SHA-256 of the content, hexadecimal.';
COMMENT ON COLUMN publications.added IS 'Entries that the last accepted file did not have.';
COMMENT ON COLUMN publications.removed IS 'Entries that only the last accepted file had.';
COMMENT ON COLUMN publications.changed IS 'Entries whose value differs from the last accepted file.';
COMMENT ON COLUMN publications.accepted IS 'The guard let it through.';
COMMENT ON COLUMN publications.rewritten IS 'The file was written; false when its content was already there.';
COMMENT ON COLUMN publications.reason IS 'Why it was refused, or what was noted; null when there is nothing to say.';
