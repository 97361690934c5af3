"""EasyPost: trackers of its webhooks (`tracker.updated`) and of its API."""
