"""Charts as SVG and HTML: pure functions from numbers to markup."""
