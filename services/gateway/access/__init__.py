"""Who may send what, and how much: API keys, signatures of senders, rates."""
