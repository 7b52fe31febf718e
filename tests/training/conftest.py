"""One thread, as a trial of one CPU has: two on a busy core run at a tenth of its speed."""

from tuner.training.device import prepare_process

prepare_process(cpus=1)
