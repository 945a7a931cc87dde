"""The rules that every page of the book keeps, a module for each kind."""
