"""The engine: which runs are trained where, in what width, and never twice."""
