"""Attributions by channel: the terms of which a player's number is the sum."""

from dataclasses import fields

from glassnets.attribution.methods import METHODS
from glassnets.attribution.methods.method import Need
from glassnets.attribution.network import Explained, Floats

# Others hide all channels of a player at once, and have one number for them.
METHODS_BY_CHANNEL = tuple(
    name for name, method in METHODS.items() if method.need is Need.GRADIENTS
)


class _ByChannel(Explained):
    def of_players(self, values: Floats) -> Floats:
        return values


def by_channel(network: Explained) -> Explained:
    """The network, of which METHODS_BY_CHANNEL give maps float32 (n, h, w, c): how much each
    channel counts. Summed over channels they are the network's own maps (n, h, w)."""
    return _ByChannel(
        **{each.name: getattr(network, each.name) for each in fields(network) if each.init}
    )
