-- How far the whale's history in the tokens that only the copier holds is traced, from one comparison to the next.

ALTER TABLE positions ADD COLUMN whale_held_at TIMESTAMPTZ;
COMMENT ON COLUMN positions.whale_held_at IS 'Last comparison that saw the whale hold a token that only the copier holds; null if none did, if the whale holds it, and in rows stored before this was kept.';
ALTER TABLE positions ADD COLUMN traced_at TIMESTAMPTZ;
COMMENT ON COLUMN positions.traced_at IS 'Last request for the whale''s activity in the market of a token that only the copier holds; null if none was made, and in rows stored before this was kept.';
ALTER TABLE positions ADD COLUMN trace_failure VARCHAR;
COMMENT ON COLUMN positions.trace_failure IS 'Why that request did not tell whale_exit; null if it did, and while the request was not answered in time.';
