"""Webhooks of the campaign's shops: destinations, receivers that fail, and who resumes them."""
