"""What checks a reader's answer to an exercise."""
