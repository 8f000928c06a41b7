"""Training: examples from the oracle, SFT, GRPO, and what a run writes."""
