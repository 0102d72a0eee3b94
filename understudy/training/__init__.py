"""How encoders learn: one loop, three objectives, and the stages pretrain, listen, distill and finetune.

Reading order: `loop.steps` (an update), `objectives` (what is learned), `batches` (from what, in which order), `losses`, then
the stages.
"""
