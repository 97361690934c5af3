"""Operators' actions on analytics."""
