"""A claim that meets its data: checks, plan, cost, power, and the lock."""
