"""How networks learn, measured on small ones of its own: one file for each question.

In NumPy's float64 throughout, no TensorFlow: networks this small spend their time in the calls, not
in the arithmetic, a single image is an update in some microseconds, and every formula that is tried
here stands in the code. Tests compare the formulas with Keras'.
"""
