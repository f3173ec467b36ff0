"""Processing functions: pure array to array, label image or table, each with its source."""
