"""The order of the stages: one model from its file to its report, and the browsers and TensorFlow that runs share."""
