"""What calls to the vendor cost: a dated price list, and the line of cost of one call.

Knows no Django. Says nothing that the vendor's contract does not say: the rest is "not known".
"""
