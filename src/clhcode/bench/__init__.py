"""The referee: protocol, metrics, evidence, stages, results and their comparison."""
