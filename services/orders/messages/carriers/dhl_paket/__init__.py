"""DHL Paket: Sendungsverfolgung of DHL Paket Deutschland."""
