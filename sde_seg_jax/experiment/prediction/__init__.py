"""Trained networks at work on images of any size.

Enter: a checkpoint, images or their files. Leave: classes, probabilities, disparity, depth, and pictures of them.
"""
