"""What several attacks share: the evaluation context, plans of attacks, decoder, verification."""
