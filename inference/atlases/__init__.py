"""The atlas: the question put to many data sets at several architectures and widths, by workers, into a folder."""
