"""Studies: the papers' tables as commands. A study is a recipe made from a recipe (decision 12)."""
