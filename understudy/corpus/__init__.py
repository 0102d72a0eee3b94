"""Corpora: text and labels from anywhere, counted, sampled, spoken, packed to token shards; and the built-in world."""
