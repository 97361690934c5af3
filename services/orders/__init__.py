"""The orders service: commands and tracking in, the truth about orders out."""
