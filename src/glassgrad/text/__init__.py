"""Words as numbers: tokens, vocabularies, n-grams, windows, tags, and how tags are scored."""
