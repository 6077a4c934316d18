"""What the results say when the families stand side by side: tests, tables, pictures."""
