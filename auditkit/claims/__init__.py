"""Claims: what is said to be forgotten, read from TOML, and what would count as forgotten."""
