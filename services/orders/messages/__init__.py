"""Between the public contract and the domain: commands and scans in, events and outcomes out."""
