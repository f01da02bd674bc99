"""Files of weights, format by format: arrays by name, nothing of a file executed. See `readers`."""
