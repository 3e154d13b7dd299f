"""What a certificate becomes: JSON, a page, a summary on the terminal, JUnit XML."""
