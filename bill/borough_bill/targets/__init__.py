"""What is measured: processes on this machine, releases on a cluster, deployments of others."""
