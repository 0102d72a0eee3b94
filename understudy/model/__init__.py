"""Encoders and what stands on them: `encoder`, `layout`, `presets`, `folder`, `heads`, `nlu`, `foreign`."""
