"""The public contract: messages, topics, ids and examples. Imports nothing of ours."""
