"""USPS: answers and pushes of its Tracking API, and the XML of the older Web Tools."""
