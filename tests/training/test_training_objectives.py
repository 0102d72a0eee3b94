"""Objectives: their parts, their counts, and what they leave alone."""

from __future__ import annotations

import math
from itertools import islice
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers_training import World, tiny

from understudy.model.heads import NLU
from understudy.training.batches import Labelled, LabelledBatch, LabelledSequences, MaskedBatch, MaskedSequences, Pieces, batches
from understudy.training.loop import steps
from understudy.training.masking import Masking
from understudy.training.objectives import Distillation, MaskedLanguageModelling, Objective, even_layers
from understudy.training.optim import OptimConfig, build
from understudy.training.precision import autocast
from understudy.training.tally import evaluate
from understudy.training.understanding import Understanding

FP32 = autocast("fp32", torch.device("cpu"))
EVEN = {"slots": 1.0, "domain": 1.0}


def source(world: World) -> MaskedSequences:
    return MaskedSequences(Pieces(world.tokens(), max_length=32), Masking(0.3, world.vocab_size), seed=0)


def batch(world: World) -> MaskedBatch:
    return source(world).batch(np.arange(12), epoch=0)


def test_even_layers_of_the_paper() -> None:
    assert even_layers(4, 16) == (3, 7, 11, 15)
    assert even_layers(2, 2) == (0, 1)
    assert even_layers(3, 2) == (0, 0, 1)


def test_masked_language_modelling_is_cross_entropy_at_the_masks(world: World) -> None:
    model, b = tiny(world.vocab_size), batch(world)
    part = MaskedLanguageModelling(model)(b)["mlm"]
    wanted = F.cross_entropy(model(b.ids_T, b.layout, at_M=b.masked_M), b.targets_M, reduction="sum")
    torch.testing.assert_close(part.sum, wanted)
    torch.testing.assert_close(part.each.sum(), wanted)


def objectives(world: World) -> list[tuple[Objective, Any]]:
    student, teacher = tiny(world.vocab_size), tiny(world.vocab_size, seed=1, layers=4, hidden=48, heads=4)
    examples = [Labelled([0, 9, 8, 2], [1, 2], [0, 1], 1, 0), Labelled([0, 7, 2], [1], [2], 0, 0)]
    nlu, three = NLU(tiny(world.vocab_size).encoder, 2, 3), NLU(tiny(world.vocab_size).encoder, 2, 3, domains=2)
    return [
        (MaskedLanguageModelling(student), batch(world)),
        (Distillation(student, teacher), batch(world)),
        (Distillation(student, teacher, hidden=1.0), batch(world)),
        (Understanding(nlu, **EVEN), LabelledSequences(examples).batch(np.arange(2), epoch=0)),
        (Understanding(three, **EVEN), LabelledSequences(examples).batch(np.arange(2), epoch=0)),
    ]


def test_every_part_of_a_loss_is_counted(world: World) -> None:
    for objective, b in objectives(world):
        assert list(objective.counts(b)) == list(objective(b))


def test_targets_are_counted_before_the_forward_pass(world: World) -> None:
    masked, alone, matched, understood, three = (objective.counts(b) for objective, b in objectives(world))
    b = batch(world)
    assert masked == {"mlm": len(b.targets_M)}
    assert alone == {"mlm": len(b.targets_M), "soft": len(b.targets_M), "vocabulary": len(b.targets_M)}
    assert matched == {**alone, "hidden": b.tokens}
    assert (understood, three) == ({"intent": 2, "slots": 3}, {"intent": 2, "slots": 3, "domain": 0})


def test_a_distillations_parts_are_reported_apart_and_learned_together(world: World) -> None:
    student, teacher, b = tiny(world.vocab_size), tiny(world.vocab_size, seed=1), batch(world)
    parts = Distillation(student, teacher, mlm=0.5, soft=2.0, temperature=2.0)(b)
    torch.testing.assert_close(parts["vocabulary"].sum.detach(), 0.5 * parts["mlm"].sum + 2.0 * 4.0 * parts["soft"].sum)
    assert [parts[name].weight for name in ("mlm", "soft", "vocabulary")] == [0.0, 0.0, 1.0]


def test_hidden_layers_equal_to_the_teachers_cost_nothing(world: World) -> None:
    model, twin, b = tiny(world.vocab_size), tiny(world.vocab_size), batch(world)
    part = Distillation(model, twin, hidden=1.0)(b)["hidden"]
    assert part.sum.item() == pytest.approx(0.0, abs=1e-6)


def test_hidden_layers_of_other_widths_pass_a_learned_projection(world: World) -> None:
    student, teacher = tiny(world.vocab_size), tiny(world.vocab_size, seed=1, layers=4, hidden=48, heads=4)
    objective = Distillation(student, teacher, hidden=1.0, layer_map=[0, 3])
    objective(batch(world))["hidden"].sum.backward()
    grads = [w.grad for w in objective.projections.parameters()]
    assert len(grads) == 4
    assert all(g is not None and g.abs().sum() > 0 for g in grads)


def test_the_teacher_is_neither_trained_nor_saved_nor_set_to_training(world: World) -> None:
    objective = Distillation(tiny(world.vocab_size), tiny(world.vocab_size, seed=1))
    objective.train()
    assert not objective.teacher.training
    assert not any("teacher" in name for name in objective.state_dict())
    assert not any(w.requires_grad for w in objective.teacher.parameters())


def test_distilling_a_model_into_its_twin_ends_at_the_teachers_entropy(world: World) -> None:
    torch.manual_seed(0)
    teacher = tiny(world.vocab_size, seed=1)
    with torch.no_grad():
        teacher.encoder.words.weight.mul_(8)  # a teacher with opinions
    student = tiny(world.vocab_size, seed=1)
    student.load_state_dict(teacher.state_dict())
    with torch.no_grad():
        for w in student.parameters():
            w.add_(0.02 * torch.randn_like(w))
    objective = Distillation(student, teacher, mlm=0.0)
    optimizer = build(objective, OptimConfig(lr=3e-3, weight_decay=0.0))
    stream = batches(source(world), budget=256, seed=0)
    done = list(islice(steps(objective, stream, optimizer, lambda n: 3e-3 * (1 - n / 200), autocast=FP32), 199))
    b = batch(world)
    logits = teacher(b.ids_T, b.layout, at_M=b.masked_M)
    entropy = torch.distributions.Categorical(logits=logits).entropy().mean().item()
    with torch.no_grad():
        part = objective(b)["soft"]
    assert done[0].loss > done[-1].loss
    assert (part.sum / objective.counts(b)["soft"]).item() == pytest.approx(entropy, abs=0.02)


def test_a_frozen_encoder_stays_and_is_used_without_dropout(world: World) -> None:
    nlu = NLU(tiny(world.vocab_size, dropout=0.5).encoder, 2, 3)
    objective = Understanding(nlu, frozen=True, **EVEN)
    objective.train()
    assert not nlu.encoder.training
    assert nlu.heads.training
    assert {n.split(".")[1] for n, w in objective.named_parameters() if w.requires_grad} == {"heads"}


def test_understanding_reads_first_pieces_only(world: World) -> None:
    nlu = NLU(tiny(world.vocab_size).encoder, 2, 3).eval()
    b = LabelledSequences([Labelled([0, 9, 8, 7, 2], [1, 3], [0, 2], 1, 0)]).batch(np.array([0]), epoch=0)
    parts = Understanding(nlu, **EVEN).eval()(b)
    intent, tags, _ = nlu(b.ids_T, b.layout)
    torch.testing.assert_close(parts["intent"].sum, F.cross_entropy(intent, b.intents_B))
    torch.testing.assert_close(parts["slots"].sum, F.cross_entropy(tags[[1, 3]], b.tags_W, reduction="sum"))


def test_domains_are_a_loss_of_their_own_and_rare_ones_may_weigh_more(world: World) -> None:
    nlu = NLU(tiny(world.vocab_size).encoder, 2, 3, domains=2).eval()
    examples = [
        Labelled([0, 9, 2], [1], [0], 1, 0, 1),
        Labelled([0, 8, 2], [1], [0], 0, 0, 0),
        Labelled([0, 7, 2], [1], [0], 0, 0),
    ]
    b = LabelledSequences(examples).batch(np.arange(3), epoch=0)
    domains_BC = nlu(b.ids_T, b.layout).domains_BC
    each = F.cross_entropy(domains_BC[:2], b.domains_B[:2], reduction="none")
    plain = Understanding(nlu, slots=1.0, domain=0.5).eval()(b)["domain"]
    torch.testing.assert_close(plain.sum, each.sum())  # the third utterance has no domain, and adds nothing
    assert plain.weight == 0.5
    weighted = Understanding(nlu, **EVEN, class_weights={"domain": torch.tensor([1.0, 3.0])})
    torch.testing.assert_close(weighted.eval()(b)["domain"].sum, 3 * each[0] + each[1])
    assert not any("weights" in name for name in weighted.state_dict())


def domains_aside(*domains: int) -> LabelledBatch:
    """One-word utterances with these domains, -1 of those without one."""
    examples = [Labelled([0, 7 + n, 2], [1], [0], 0, 0, domain) for n, domain in enumerate(domains)]
    return LabelledSequences(examples).batch(np.arange(len(domains)), epoch=0)


def blank(world: World, **settings: Any) -> Understanding:
    """A model whose head for the domain holds two equally likely, so that each loss is ln 2."""
    nlu = NLU(tiny(world.vocab_size).encoder, 2, 3, domains=2)
    for name, weight in nlu.named_parameters():
        if "domain" in name:
            weight.data.zero_()
    return Understanding(nlu, **EVEN, **settings)


def test_the_domain_loss_is_the_mean_over_utterances_that_have_one(world: World) -> None:
    objective = blank(world).eval()
    found = evaluate(objective, [domains_aside(1, -1, 0), domains_aside(-1, -1)], autocast=FP32)
    assert found["domain"] == pytest.approx(math.log(2))  # of two, where five would give 0.277


def test_a_teacher_tells_the_domain_of_all_utterances(world: World) -> None:
    batch = domains_aside(1, -1, 0)
    objective = blank(world, teacher=blank(world).nlu).eval()
    counts = objective.counts(batch)
    assert (counts["domain"], counts["soft_domain"]) == (2, 3)
    assert objective(batch)["soft_domain"].sum.item() == pytest.approx(3 * math.log(2))


def test_an_update_in_which_nothing_has_a_domain_is_made(world: World) -> None:
    objective = blank(world)
    optimizer = build(objective, OptimConfig(lr=1e-3))
    (done,) = islice(steps(objective, [[domains_aside(-1, -1)]], optimizer, lambda n: 1e-3, autocast=FP32), 1)
    assert (done.parts["domain"], math.isfinite(done.loss)) == (0.0, True)
