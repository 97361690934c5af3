"""Operators' actions on orders."""
