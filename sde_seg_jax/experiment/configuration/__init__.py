"""How configurations are found by name or path, changed by programs, and refer to each other's runs."""
