"""A simulator of autoscalers on a load: violations of the objective, and cost.

One model of pods and of the paths by which metrics reach an autoscaler is shared by this operator's
decision and by the rivals; each gets only what it would get in a cluster.
"""
