"""Privacy networks f_B and f_B', one file each: images to an embedding or to attributes."""
