"""What an installation needs for a number of orders a day: reckoned from measured costs."""
