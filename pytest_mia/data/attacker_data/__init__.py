"""Records of an attacker who lacks the training data, made from what the attacker knows."""
