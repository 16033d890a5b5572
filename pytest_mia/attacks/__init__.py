"""What an attacker sees, scores, thresholds learnt on other models, evaluation. Imports `training` and below."""
