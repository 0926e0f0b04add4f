"""What executes a model: native TensorFlow, and TF.js in a browser."""
