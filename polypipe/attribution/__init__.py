"""Why there is a gap: fills matched one by one, and every dollar of the gap attributed to a cause."""
