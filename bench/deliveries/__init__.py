"""`make bench-deliveries`: the deliveries service beside a plain loop over httpx."""
