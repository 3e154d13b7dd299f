"""Unit noise comes in and is scaled; the network predicts noise from scaled states."""

BUG = None


def sample(unet, latents, sigmas):
    latents = latents * sigmas[0]
    for i, (s, t) in enumerate(zip(sigmas[:-1], sigmas[1:])):
        eps = unet(latents / (s**2 + 1) ** 0.5, s)
        latents = latents + (0.9 * eps if i == BUG else eps) * (t - s)
    return latents
