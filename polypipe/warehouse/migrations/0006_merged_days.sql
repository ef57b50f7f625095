-- Closed days of a time table may share one file.

ALTER TABLE partitions ADD COLUMN last_day DATE;
COMMENT ON COLUMN partitions.last_day IS 'Last UTC day of a file that holds several days, from day on; null for a file of one day or of a state table.';
