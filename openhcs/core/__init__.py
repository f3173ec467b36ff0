"""The engine: plates in, results out. It knows no terminal; the front ends enter through `orchestrator`."""
