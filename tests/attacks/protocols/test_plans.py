import dataclasses

import pytest

from tfanon.attacks.common import attack_plan
from tfanon.core import registry
from tfanon.core.config import Config

CONFIG = Config(privacy_network="small_resnet", action_network="small3d")


def make_plan(name, config=CONFIG, **options):
    protocol = registry.load_module("protocols", name)
    return protocol.plan(config, attack_plan.NetworkOptions(**options))


@pytest.mark.parametrize("name", sorted({*registry.list_names("protocols")} - {"novel"}))
def test_every_protocol_names_modules_that_exist(name):
    plan = make_plan(name)
    assert plan.attacks or plan.action_networks
    for attacker, settings in plan.attacks:
        registry.load_module("attackers", attacker)
        assert settings["network"] in registry.list_names("privacy") + registry.list_names(
            "actions"
        )
    assert set(plan.action_networks) <= set(registry.list_names("actions"))


def test_table_1():
    plan = make_plan("known")
    assert plan.attacks == (("fresh", {"network": "small_resnet", "start": "scratch"}),)
    assert plan.action_networks == ("small3d",)
    config = dataclasses.replace(
        CONFIG, attack_network="resnet18", attack_weights="x.h5", eval_action_network="r3d_18"
    )
    plan = make_plan("known", config)
    assert plan.attacks == (("fresh", {"network": "resnet18", "start": "x.h5"}),)
    assert plan.action_networks == ("r3d_18",)


def test_table_2_needs_novel_data():
    with pytest.raises(ValueError, match="needs data that f_A was not trained for. Give --eval_"):
        make_plan("novel")
    config = dataclasses.replace(CONFIG, attribute_set="vispr2")
    assert make_plan("novel", config) == make_plan("known")


def test_tables_7_and_8(tmp_path):
    sizes = ("resnet18", "resnet34", "resnet50", "resnet101", "resnet152")
    plan = make_plan("attackers")
    assert [settings["network"] for _, settings in plan.attacks] == list(sizes)
    weights = tmp_path / "resnet34.weights.h5"
    weights.write_bytes(b"")
    plan = make_plan("attackers", weights_dir=str(tmp_path))
    assert plan.attacks[-1] == ("fresh", {"network": "resnet34", "start": str(weights)})
    assert len(plan.attacks) == 6
    assert plan.notes[0].endswith("resnet18, resnet50, resnet101, resnet152.")


def test_command_chooses_networks():
    plan = make_plan("strict", networks=("mobilenet", "small_resnet", "r3d_18"))
    retrained = [settings["network"] for attack, settings in plan.attacks if attack == "fresh"]
    assert retrained == ["mobilenet", "small_resnet"]
    assert ("whole_video", {"network": "r3d_18", "start": "scratch"}) in plan.attacks
    assert plan.action_networks == ("r3d_18",)
    assert {attacker for attacker, _ in plan.attacks} == set(registry.list_names("attackers"))
    with pytest.raises(ValueError, match="'resnet19'"):
        make_plan("known", networks=("resnet19",))


def test_command_chooses_attackers():
    plan = make_plan("quick")
    assert plan.with_attackers(()) == plan
    own = {"network": "small_resnet", "start": "scratch"}
    changed = plan.with_attackers(("reconstruction:width=0.5", "knn", "fresh"))
    attacks = (("reconstruction", {**own, "width": 0.5}), ("knn", {}), ("fresh", own))
    assert changed == dataclasses.replace(plan, attacks=attacks)
    plan = make_plan("quick", networks=("mobilenet", "small_resnet"))
    plan = plan.with_attackers(("reconstruction:width=0.5",))
    assert [settings["network"] for _, settings in plan.attacks] == ["mobilenet", "small_resnet"]
    assert {settings["width"] for _, settings in plan.attacks} == {0.5}
