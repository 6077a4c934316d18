"""What networks represent within: single units, lesions of them, and how alike representations are.

Only `activations` and `lesions` compute with TensorFlow; the others take their arrays.
"""
