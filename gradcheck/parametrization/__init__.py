"""``transfer``: do activations, updates and logits keep their size as a network becomes wider, or deeper?"""
