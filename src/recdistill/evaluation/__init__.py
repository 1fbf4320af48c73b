"""How good models are, whom they serve, what they cost, and what distillation gave."""
