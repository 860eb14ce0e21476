"""Public weights by name: where they are and what is known of their SHA-256.

The names of torchvision's files end in the first eight digits of the file's SHA-256, which is all
that its authors publish. The full digests below were recorded by third parties and agree with the
names. If no digest is published, the user has to provide one.
"""

import dataclasses

TORCHVISION_URL = "https://download.pytorch.org/models/"
KINETICS, IMAGENET = "Kinetics-400", "ImageNet-1k"


@dataclasses.dataclass(frozen=True)
class PublishedWeights:
    """A file of weights that anyone may download.

    Attributes:
        url: Where it is.
        network: Our network that it fits, a file of tfanon/models.
        layout: How it names its tensors, a file of tfanon/pretrained/layouts.
        trained_on: Data set, for people.
        digest: The first digits of its SHA-256, 8 or all 64; "" if none is published.
    """

    url: str
    network: str
    layout: str
    trained_on: str
    digest: str = ""

    @property
    def file_name(self) -> str:
        """The last part of the URL."""
        return self.url.rsplit("/", 1)[1]


def _make_torchvision_entry(
    network: str, file_name: str, layout: str, trained_on: str, digest: str = ""
) -> PublishedWeights:
    """Make the entry of a file whose name ends in "-<8 digits>.pth"."""
    return PublishedWeights(
        TORCHVISION_URL + file_name,
        network,
        layout,
        trained_on,
        # file_name[-12:-4] is the part between "-" and ".pth".
        digest or file_name[-12:-4],
    )


PUBLISHED_WEIGHTS: dict[str, PublishedWeights] = {
    "r3d_18": _make_torchvision_entry(
        "r3d_18", "r3d_18-b3b3357e.pth", "torchvision_video", KINETICS
    ),
    "r2plus1d_18": _make_torchvision_entry(
        "r2plus1d_18", "r2plus1d_18-91a641e6.pth", "torchvision_video", KINETICS
    ),
    "mvit_v2_s": _make_torchvision_entry(
        "mvit_v2_s",
        "mvit_v2_s-ae3be167.pth",
        "torchvision_mvit",
        KINETICS,
        "ae3be16733081f6d1cd40e4ab980ca23d6df6dc6486d15ada05a5e8ab8c9b975",
    ),
    "i3d_r50": PublishedWeights(
        "https://dl.fbaipublicfiles.com/pytorchvideo/model_zoo/kinetics/I3D_8x8_R50.pyth",
        "i3d_r50",
        "pytorchvideo_i3d",
        KINETICS,
    ),
    "resnet18": _make_torchvision_entry(
        "resnet18",
        "resnet18-f37072fd.pth",
        "torchvision_resnet",
        IMAGENET,
        "f37072fd47e89c5e827621c5baffa7500819f7896bbacec160b1a16c560e07ec",
    ),
    "resnet34": _make_torchvision_entry(
        "resnet34", "resnet34-b627a593.pth", "torchvision_resnet", IMAGENET
    ),
    "resnet50": _make_torchvision_entry(
        "resnet50",
        "resnet50-0676ba61.pth",
        "torchvision_resnet",
        IMAGENET,
        "0676ba61b6795bbe1773cffd859882e5e297624d384b6993f7c9e683e722fb8a",
    ),
    "resnet101": _make_torchvision_entry(
        "resnet101", "resnet101-63fe2227.pth", "torchvision_resnet", IMAGENET
    ),
    "resnet152": _make_torchvision_entry(
        "resnet152", "resnet152-394f9c45.pth", "torchvision_resnet", IMAGENET
    ),
    "resnet50_simclr": PublishedWeights(
        "https://dl.fbaipublicfiles.com/vissl/model_zoo/"
        "simclr_rn50_800ep_simclr_8node_resnet_16_07_20.7e8feed1/"
        "model_final_checkpoint_phase799.torch",
        "resnet50",
        "vissl",
        f"{IMAGENET} without labels",
    ),
    "unetpp_encoder": _make_torchvision_entry(
        "unetpp",
        # The same file as resnet18's: UNet++'s encoder is that network.
        "resnet18-f37072fd.pth",
        "torchvision_encoder",
        IMAGENET,
        "f37072fd47e89c5e827621c5baffa7500819f7896bbacec160b1a16c560e07ec",
    ),
}


def find_published_weights(name: str) -> PublishedWeights:
    """Return the published weights of a name.

    Args:
        name: A key of PUBLISHED_WEIGHTS.

    Raises:
        ValueError: The name is unknown; the message lists the names.
    """
    if name not in PUBLISHED_WEIGHTS:
        raise ValueError(
            f"There are no published weights called '{name}'; available: "
            f"{', '.join(PUBLISHED_WEIGHTS)}."
        )
    return PUBLISHED_WEIGHTS[name]
