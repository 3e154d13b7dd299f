"""What certification asks, as tests of your own suite."""

import my_loop

import dfbench


@dfbench.parametrize_with_checks([my_loop.sample])
def test_my_sampler(subject, check):
    check(subject)
