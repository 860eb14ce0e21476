"""Published weights for the networks of this package: found, read, checked, put in their places."""
