"""What follows from a node's settings, predicted from the settings and a short calibration run (`lictor explain`)."""
