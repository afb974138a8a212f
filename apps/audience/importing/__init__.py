"""Reading CSV files of people: what a file is, its records with their byte offsets, its columns. No database."""
