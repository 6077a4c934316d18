"""The drawing board: draw a digit, see what networks predict, why, the verdicts on methods, and
what units within answer."""
