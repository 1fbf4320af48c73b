"""Students made smaller: what is pruned, what is stored in fewer bits, and what that costs.

Settings are fields of a recipe's phases (`prune`, `quantise`), so that distil, prune, distil again is one recipe.
"""
