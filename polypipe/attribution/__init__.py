"""Why the copier drifts from ratio x the whale: fills matched one by one, and every dollar of the gap put to its cause."""
