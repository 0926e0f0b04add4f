"""Any model as a TF.js graph model: simplified, rewritten in operations that TF.js has, optimized, checked."""
