"""The state of each assigned partition: stored position, identity of the log, stops."""
