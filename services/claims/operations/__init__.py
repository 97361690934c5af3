"""Operators' actions on claims."""
