"""Traffic of tracking numbers that are shared, used again, voided, mistyped or placeholders."""
