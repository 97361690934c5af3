"""Several processes of one service behind one HTTP port."""
