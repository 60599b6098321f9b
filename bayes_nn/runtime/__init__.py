"""The process that everything runs in: precision, cores and devices, compiled code, random keys and progress bars."""
