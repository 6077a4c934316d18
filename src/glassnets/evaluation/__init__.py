"""Metrics of classification, with intervals, and paired tests between families."""
