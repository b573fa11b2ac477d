"""One file a format: what users hold, turned into an exact Network."""
