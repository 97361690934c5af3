"""Operators' actions on what all services share, and their audit."""
