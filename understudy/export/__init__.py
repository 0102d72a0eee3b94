"""torch to ONNX to int8, behind gates: `export.run` is the stage, `graph.write_graph` the graph."""
