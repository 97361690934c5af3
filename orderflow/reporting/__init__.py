"""The delivery report as a table, as files and as pictures."""
