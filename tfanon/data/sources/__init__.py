"""One file per data set; adding a file adds a data set."""
