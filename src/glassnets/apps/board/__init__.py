"""The drawing board: draw a digit, see what networks predict, why, and the verdicts on methods."""
