"""Statistics: pure functions of arrays. Everything a report says is computed here, once."""
