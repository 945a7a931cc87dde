"""The press: it reads the pages, checks them, and turns their directives into HTML."""
