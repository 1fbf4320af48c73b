"""Judging teachers: what each is worth, beside chance, beside popularity and beside the others."""
