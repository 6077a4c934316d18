"""Networks: the families, their layers, how they are trained."""
