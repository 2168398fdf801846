"""Figures and objectives -> verdict: whether the target did what was demanded, and whether that can be believed."""
