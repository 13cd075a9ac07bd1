"""What runs a model: torch, TorchScript, ONNX Runtime or OpenVINO, behind one interface."""
