"""Training: examples from the oracle, SFT, GRPO, what a run writes, and its GGUF file."""
