"""Our networks, losses and training steps in PyTorch, as users write them: what our speed is compared with."""
