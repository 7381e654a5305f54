"""PyTorch: do the user's own models keep their sizes in width and depth?"""
