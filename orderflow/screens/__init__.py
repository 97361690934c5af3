"""What commands print of what they found, one module for each."""
