"""Controls that draw only what is visible."""
