"""How XLA compiles what runs once or twice."""


def quick(backend: str) -> dict[str, int] | None:
    """Return options for JAX's compiler: on a processor it takes half the time where it needn't make fast code."""
    return {"xla_backend_optimization_level": 0} if backend == "cpu" else None
