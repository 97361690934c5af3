"""Order-preserving parking: what cannot be decided or written, and what stands behind it (P4)."""
