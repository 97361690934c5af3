"""GLS: parcels of Track and Trace v1, of ShipIT, and of the tracking page."""
