"""``clip_demo``: one network trained once per clipping rule."""
