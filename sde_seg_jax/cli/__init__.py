"""Commands: the only place that sees configurations, paths and flags, and that brings data and models together."""
