"""The claims service: customers' claims about parcels, decided on copies of the orders."""
