"""Text: words, sentences, sections and what a note claims of a condition, all by offsets."""
