"""The recorded answers of the real APIs, beside the checkout; tests that need them are skipped without."""

from pathlib import Path

import pytest

RECORDINGS = Path(__file__).resolve().parents[2] / "shared" / "polymarket" / "recordings"

needs_recordings = pytest.mark.skipif(
    not RECORDINGS.is_dir(), reason="no recorded answers in ../shared/polymarket/recordings"
)
