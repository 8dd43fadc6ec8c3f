"""What an autoscaler's answers would have cost, and whom they would have kept waiting.

One model of pods and of the paths by which metrics reach a scaler, shared by our own decision and
by its rivals, each of which sees of the world what it would see in a cluster and no more.
"""
