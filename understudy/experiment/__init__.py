"""Experiments that decide a launch: users split between models, what happened to them kept, and the change told with its doubt."""
