"""Action networks f_T and f_T', one file each: clips to logits of K actions."""
