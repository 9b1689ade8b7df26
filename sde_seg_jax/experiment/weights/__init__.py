"""Where a network starts from: sources (our runs, published files, the hub) and rules that name their modules."""
