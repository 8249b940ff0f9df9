"""What does the same work: programs of their own, each in the best configuration that keeps its verdicts honest."""
