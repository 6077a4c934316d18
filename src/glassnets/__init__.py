"""Families of neural network, trained reproducibly, compared fairly, explained honestly."""
