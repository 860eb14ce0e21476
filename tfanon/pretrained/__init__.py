"""Published weights: found, downloaded, converted to our networks and loaded."""
