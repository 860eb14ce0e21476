import dataclasses

import pytest

from tfanon.attacks.common import attack_plan
from tfanon.core import registry
from tfanon.core.config import Config

CONFIG = Config(privacy_network="small_resnet", action_network="small3d")


def plan(name, config=CONFIG, **asked):
    return registry.load_module("protocols", name).plan(config, attack_plan.NetworkOptions(**asked))


@pytest.mark.parametrize("name", sorted({*registry.list_names("protocols")} - {"novel"}))
def test_every_protocol_names_what_there_is(name):
    made = plan(name)
    assert made.attacks or made.actions
    for attacker, choice in made.attacks:
        registry.load_module("attackers", attacker)
        assert choice["network"] in registry.list_names("privacy") + registry.list_names("actions")
    assert set(made.actions) <= set(registry.list_names("actions"))


def test_table_1():
    made = plan("known")
    assert made.attacks == (("fresh", {"network": "small_resnet", "start": "scratch"}),)
    assert made.actions == ("small3d",)
    judged = dataclasses.replace(
        CONFIG, attack_network="resnet18", attack_weights="x.h5", eval_action_network="r3d_18"
    )
    assert plan("known", judged).attacks == (("fresh", {"network": "resnet18", "start": "x.h5"}),)
    assert plan("known", judged).actions == ("r3d_18",)


def test_table_2_asks_for_something_novel():
    with pytest.raises(
        ValueError, match="Nothing is novel here: name what f_A was not trained for"
    ):
        plan("novel")
    assert plan("novel", dataclasses.replace(CONFIG, attribute_set="vispr2")) == plan("known")


def test_tables_7_and_8(tmp_path):
    sizes = ("resnet18", "resnet34", "resnet50", "resnet101", "resnet152")
    made = plan("attackers")
    assert [choice["network"] for _, choice in made.attacks] == list(sizes)
    (tmp_path / "resnet34.weights.h5").write_bytes(b"")
    made = plan("attackers", weights_dir=str(tmp_path))
    assert made.attacks[-1] == (
        "fresh",
        {"network": "resnet34", "start": str(tmp_path / "resnet34.weights.h5")},
    )
    assert len(made.attacks) == 6 and made.notes[0].endswith(
        "resnet18, resnet50, resnet101, resnet152."
    )


def test_networks_that_are_asked_for():
    made = plan("strict", networks=("mobilenet", "small_resnet", "r3d_18"))
    assert [choice["network"] for attacker, choice in made.attacks if attacker == "fresh"] == [
        "mobilenet",
        "small_resnet",
    ]
    assert (
        "whole_video",
        {"network": "r3d_18", "start": "scratch"},
    ) in made.attacks and made.actions == ("r3d_18",)
    assert {attacker for attacker, _ in made.attacks} == set(registry.list_names("attackers"))
    with pytest.raises(ValueError, match="No privacy called 'resnet19'"):
        plan("known", networks=("resnet19",))


def test_attackers_that_a_command_asks_for():
    made = plan("quick")
    assert made.with_attackers(()) == made
    chosen = {"network": "small_resnet", "start": "scratch"}
    assert made.with_attackers(("reconstruction:width=0.5", "knn", "fresh")) == dataclasses.replace(
        made, attacks=(("reconstruction", {**chosen, "width": 0.5}), ("knn", {}), ("fresh", chosen))
    )
    both = plan("quick", networks=("mobilenet", "small_resnet")).with_attackers(
        ("reconstruction:width=0.5",)
    )
    assert [choice["network"] for _, choice in both.attacks] == ["mobilenet", "small_resnet"]
    assert {choice["width"] for _, choice in both.attacks} == {0.5}
