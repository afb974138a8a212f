"""`make bench`: figures of this machine, each as a ratio to something run beside it in the same run."""
