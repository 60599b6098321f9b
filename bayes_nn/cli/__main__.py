"""``python -m bayes_nn.cli``, the same as ``bayes-nn``."""

from bayes_nn.cli.commands import main

if __name__ == "__main__":
    main()
