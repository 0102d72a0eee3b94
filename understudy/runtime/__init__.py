"""ONNX Runtime: text to Interpretation, without torch.

`session.Runtime` is what users load; `decode` is shared with the models in torch, so this file imports neither.
"""
