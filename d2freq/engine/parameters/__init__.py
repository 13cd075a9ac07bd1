"""Which parameters are trained, at which rate, and how their gradients are clipped."""
