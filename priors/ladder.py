"""The priors of a comparison: the ladder of an architecture, and the check of a list of one's own."""

from collections.abc import Iterable

from bayes_nn.architecture.layers import AvgPool, Conv, Flatten, GlobalAvgPool, Layer, Residual
from bayes_nn.architecture.serial import Serial, checked_net
from bayes_nn.priors.ard_kernel import ARDKernel
from bayes_nn.priors.finite_width import BayesianNetwork
from bayes_nn.priors.infinite_width import NNGP, NTK
from bayes_nn.priors.input_metric import InputMetric
from bayes_nn.priors.prior import Prior
from bayes_nn.priors.scaled_nngp import ScaleMixture, StudentT


def ladder(net: Serial, width: int) -> list[Prior]:
    """Every prior that a network of this architecture and width should be compared with, and the network.

    In the order of what the data may change: the infinite-width kernels, their scale (:class:`ScaleMixture`,
    :class:`StudentT`), the metric of their inputs (:class:`InputMetric`,
    one scale per input and rank 2; :class:`ARDKernel`, RBF and Matern 5/2), hidden features
    (:class:`BayesianNetwork`). The lowest one that does as well as the network explains its gain. What is for vectors
    only is left out where a layer of the architecture reads positions.

    :class:`FrozenFeatures` is not among them: its score is a code length and not an evidence, and it is for Gaussian
    noise only. :class:`RenormalisedKernel` approximates :class:`ScaleMixture`.

    Args:
        net: the architecture.
        width: width of every hidden layer, or one per layer.

    Raises:
        ValueError: for what is no architecture, or a bad width.

    Example:
        >>> import bayes_nn as bnn
        >>> for prior in bnn.ladder(bnn.mlp(depth=1), width=16):
        ...     print(prior)
        NNGP(relu, depth=1)
        NTK(relu, depth=1)
        ScaleMixture(relu, depth=1, width=16)
        StudentT(relu, depth=1, df=4)
        InputMetric(relu, depth=1, ARD)
        InputMetric(relu, depth=1, rank=2)
        ARDKernel(RBF)
        ARDKernel(Matern 5/2)
        BayesianNetwork(relu, depth=1, width=16)
    """
    net = checked_net(net)
    metrics: list[Prior] = []
    if not _reads_positions(net.layers):
        metrics = [InputMetric(net), InputMetric(net, rank=2), ARDKernel("rbf"), ARDKernel("matern52")]
    return [NNGP(net), NTK(net), ScaleMixture(net, width), StudentT(net), *metrics, BayesianNetwork(net, width)]


def _reads_positions(layers: tuple[Layer, ...]) -> bool:
    """Whether some layer is for images or sequences."""
    return any(
        _reads_positions((*layer.branch, *layer.shortcut))
        if isinstance(layer, Residual)
        else isinstance(layer, (Conv, Flatten, AvgPool, GlobalAvgPool))
        for layer in layers
    )


def ladders(nets: Iterable[Serial], widths: Iterable[int]) -> list[Prior]:
    """The ladders of several architectures and widths as one list, rung by rung, without repeats.

    Args:
        nets: architectures.
        widths: of every hidden layer.

    Raises:
        ValueError: as :func:`ladder`.

    Example:
        >>> import bayes_nn as bnn
        >>> [prior.name for prior in ladders([bnn.mlp(depth=1)], [4, 8])][1:4]
        ['NTK(relu, depth=1)', 'ScaleMixture(relu, depth=1, width=4)', 'ScaleMixture(relu, depth=1, width=8)']
    """
    widths = list(widths)
    rungs = [rung for net in nets for rung in zip(*(ladder(net, width) for width in widths), strict=True)]
    return list(dict.fromkeys(prior for rung in rungs for prior in rung))


def chosen_candidates(
    candidates: Iterable[Prior] | None, net: Serial | None = None, width: int | None = None
) -> dict[str, Prior]:
    """Priors by unique name.

    Args:
        candidates: priors, or anything that yields them, such as a generator; None for the ladder of ``net`` and
            ``width``.
        net: an architecture, in place of candidates.
        width: of its hidden layers.

    Raises:
        ValueError: if there are none, one is not a prior, both candidates and a net or width are given, or only one of
            net and width.

    Example:
        >>> import bayes_nn as bnn
        >>> nngp = bnn.priors.NNGP(bnn.mlp(depth=1))
        >>> list(chosen_candidates(prior for prior in [nngp, nngp]))
        ['NNGP(relu, depth=1)', 'NNGP(relu, depth=1) #2']
    """
    if candidates is None:
        if net is None or width is None:
            raise ValueError("pass candidates, such as [priors.NNGP(net)], or both net and width for the whole ladder")
        candidates = ladder(net, width)
    elif net is not None or width is not None:
        raise ValueError("pass either candidates, or net and width; a longer ladder is [*ladder(net, width), ...]")
    given = () if isinstance(candidates, Prior) or not isinstance(candidates, Iterable) else tuple(candidates)
    if not given:
        raise ValueError("candidates must be a list of at least one prior, such as [priors.NNGP(net)]")
    named: dict[str, Prior] = {}
    for prior in given:
        if not isinstance(prior, Prior):
            raise ValueError(f"every candidate must be a prior such as priors.NNGP(net); got {prior!r}")
        repeats = sum(other.name == prior.name for other in named.values())
        named[prior.name if not repeats else f"{prior.name} #{repeats + 1}"] = prior
    return named
