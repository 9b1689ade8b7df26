"""Which images to label: the plan, the networks between its steps, their scores, the list and its page."""
