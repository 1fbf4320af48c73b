"""What leaves the building: the student as one ONNX file, with its items, its identity and its checksums."""
