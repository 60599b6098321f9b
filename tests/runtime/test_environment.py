"""Importing changes precision alone, and that late; cores are used on request; idle ones are mentioned once."""

import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import pytest


def run(program, **settings):
    """Run a program in a process that inherits no setting of JAX from this one."""
    left_out = "XLA_FLAGS", "JAX_DISABLE_MOST_OPTIMIZATIONS"
    environment = {name: value for name, value in os.environ.items() if name not in left_out} | settings
    command = [sys.executable, "-c", program]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment)


def test_import_alone_does_nothing_and_the_first_part_that_uses_jax_switches_to_double_precision():
    done = run(
        "import sys, bayes_nn; assert not {'jax', 'numpy', 'pandas', 'matplotlib'} & set(sys.modules)\n"
        "assert {'compare', 'priors', 'BayesianNetwork'} <= set(dir(bayes_nn)) == set(bayes_nn.__all__)\n"
        "for name in dir(bayes_nn): getattr(bayes_nn, name)\n"
        "import jax, jax._src.xla_bridge as bridge\n"
        "assert not bridge.backends_are_initialized()\n"
        "import jax.numpy as jnp; assert jnp.ones(1).dtype == jnp.float64"
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_float64_can_be_confined_and_gives_the_same_evidence():
    """Also: the float32 code outside is not compiled again, and an evidence in float32 is refused."""
    fit = (
        "net = bnn.mlp(1, weight_std=1.4, bias_std=0.1); X = np.linspace(-1, 1, 12)\n"
        "def evidence(): return bnn.fit(bnn.priors.NNGP(net), X, np.sin(X), bnn.Gaussian(0.3)).log_evidence.value\n"
    )
    confined = run(
        "import bayes_nn as bnn, numpy as np, jax\n" + fit + "compiled = []\n"
        "@jax.jit\n"
        "def own(x): compiled.append(x.dtype); return 2 * x\n"
        "with bnn.double_precision(): evidence()\n"
        "own(np.ones(2))\n"
        "with bnn.double_precision(): print(evidence())\n"
        "own(np.ones(2)); assert compiled == ['float32'], compiled\n"
        "try: evidence()\n"
        "except ValueError as error: print(error)",
        JAX_ENABLE_X64="0",
    )
    assert confined.returncode == 0, confined.stderr
    value, refused = confined.stdout.splitlines()
    assert "with bayes_nn.double_precision()" in refused
    everywhere = run("import bayes_nn as bnn, numpy as np\n" + fit + "print(evidence())")
    assert abs(float(everywhere.stdout) - float(value)) < 1e-12


def test_use_all_cores_makes_one_device_per_core():
    done = run("import bayes_nn as bnn; print(bnn.use_all_cores(3)); import jax; print(jax.local_device_count())")
    assert done.stdout.split() == ["3", "3"]


@pytest.mark.slow
def test_a_program_that_does_not_call_it_gets_one_hint_and_the_same_numbers():
    program = (
        "import bayes_nn as bnn, numpy as np, warnings, os\n"
        "{call}\n"
        "os.sched_getaffinity = lambda process: {{0, 1}}\n"
        "X = np.random.default_rng(0).normal(size=(12, 2)); net = bnn.mlp(1, weight_std=1.4, bias_std=0.1)\n"
        "with warnings.catch_warnings(record=True) as caught:\n"
        "    warnings.simplefilter('always')\n"
        "    for _ in range(2):\n"
        "        p = bnn.fit(bnn.BayesianNetwork(net, 3), X, X[:, 0], bnn.Gaussian(0.3), bnn.inference.SMC(16, 2))\n"
        "print(sum(issubclass(w.category, bnn.PerformanceHint) for w in caught), p.log_evidence.value)"
    )
    alone, all_cores = run(program.format(call="")), run(program.format(call="bnn.use_all_cores(2)"))
    assert alone.returncode == 0, alone.stderr
    hints, value = alone.stdout.split()
    assert hints == "1"
    other_hints, other_value = all_cores.stdout.split()
    assert other_hints == "0"
    assert abs(float(value) - float(other_value)) < 1e-8


def test_tests_run_in_double_precision():
    assert jnp.ones(1).dtype == jnp.float64
    assert jax.local_device_count() >= 1


def test_quick_compilation_is_set_once_and_gives_way_to_the_user():
    """What the user says in XLA_FLAGS stays; calling twice adds nothing."""
    program = (
        "import os; os.environ['XLA_FLAGS'] = '{given}'\n"
        "import bayes_nn as bnn; bnn.use_all_cores(2); bnn.use_all_cores(2)\n"
        "print(os.environ['XLA_FLAGS'].count('xla_cpu_use_fusion_emitters'), "
        "'xla_cpu_use_fusion_emitters=true' in os.environ['XLA_FLAGS'])"
    )
    for given, answer in {"": ["1", "False"], "--xla_cpu_use_fusion_emitters=true": ["1", "True"]}.items():
        done = run(program.format(given=given))
        assert done.stdout.split() == answer, done.stderr
