"""``rate``: which learning rate does a network take?"""
