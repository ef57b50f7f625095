-- Progress of tracing the whale's history in tokens that only the copier holds, from one comparison to the next.

ALTER TABLE positions ADD COLUMN whale_held_at TIMESTAMPTZ;
COMMENT ON COLUMN positions.whale_held_at IS 'Time of the last comparison in which the whale held a token that now only the copier holds. Null if there was no such comparison, if the whale holds the token, and in rows from before it was stored.';
ALTER TABLE positions ADD COLUMN traced_at TIMESTAMPTZ;
COMMENT ON COLUMN positions.traced_at IS 'Time of the last request for the whale''s activity in the market of a token that only the copier holds. Null if none was made, and in rows from before it was stored.';
ALTER TABLE positions ADD COLUMN trace_failure VARCHAR;
COMMENT ON COLUMN positions.trace_failure IS 'Why the request at traced_at did not determine whale_exit. Null if it did, and if it was not answered in time.';
