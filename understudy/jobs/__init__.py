"""Stages side by side, each in a process of its own: `understudy run RECIPE --jobs N`."""
