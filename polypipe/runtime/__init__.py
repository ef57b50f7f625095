"""Runtime: starting, supervising, finding and stopping the processes of a home."""
