"""What is called `timesteps` is their number; a denoiser on the straight path."""

BUG = None


def sample(denoiser, z, timesteps):
    for i in range(timesteps):
        s, t = 1 - i / timesteps, 1 - (i + 1) / timesteps
        d = denoiser(z, s * 1000) * (0.9 if i == BUG else 1.0)
        z = d + t / s * (z - d)
    return z
