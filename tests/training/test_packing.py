import torch
from torch import nn

from ablate.training.packing import pack, pack_optimizer, unpack, unpack_optimizer


def trained(optimizer_of):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(144, 2))
    model.to(memory_format=torch.channels_last)
    optimizer = optimizer_of(model.parameters())
    for _ in range(2):
        optimizer.zero_grad()
        model(torch.randn(5, 3, 8, 8)).square().mean().backward()
        optimizer.step()
    return model, optimizer


def test_a_state_dict_comes_back_as_it_was():
    model, _ = trained(lambda p: torch.optim.SGD(p, lr=0.1))
    state = model.state_dict()
    packed = pack(state)
    back = unpack(packed)
    assert list(back) == list(state)
    for name, tensor in state.items():
        assert back[name].dtype == tensor.dtype
        assert torch.equal(back[name], tensor)
        assert back[name].stride() == tensor.stride()
    assert len(packed["flat"]) == 2, "floats in one tensor, the counters of batches in another"


def test_an_optimiser_goes_on_as_if_it_had_not_stopped():
    for optimizer_of in (
        lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9),
        lambda p: torch.optim.AdamW(p, lr=0.1),
        lambda p: torch.optim.SGD(p, lr=0.1),
        lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, fused=True),
    ):
        model, optimizer = trained(optimizer_of)
        state = optimizer.state_dict()
        restored = optimizer_of(model.parameters())
        restored.load_state_dict({**state, "state": unpack_optimizer(pack_optimizer(state["state"]))})
        for expected, found in zip(state["state"].values(), restored.state_dict()["state"].values(), strict=True):
            assert expected.keys() == found.keys()
            for key, value in expected.items():
                if value is None:
                    assert found[key] is None
                    continue
                one, same = torch.as_tensor(value), torch.as_tensor(found[key])
                assert torch.equal(one, same)
                assert one.stride() == same.stride(), "a fused optimiser goes through memory, whatever lies there"
