import numpy as np
import pytest
from class_maps import CITYSCAPES_TO_CAMVID
from tiny_scenes import SIZE, SPEC, load

from sde_seg_jax.data.reading.memory import MemorySource, load_into_memory, memory_batches
from sde_seg_jax.data.reading.relabel import Relabeled, describe, translation
from sde_seg_jax.label_spaces import CAMVID, CITYSCAPES, MAPILLARY, LabelSpace
from sde_seg_jax.types import IGNORE

GRAY = (1, 1, 1)


def space(name, *classes):
    return LabelSpace(name, classes, (GRAY,) * len(classes))


SOURCE = space("game", "road", "cat", "tree", "car")
TARGET = space("street", "car", "road", "animal")


def scenes():
    examples = []
    for index in range(3):
        example = load(("train", index, None), SIZE)
        label = example["label"].astype(np.uint8)
        camera = np.array(example["intrinsics"], np.float32)
        examples.append({"image": example["image"], "intrinsics": camera, "name": example["name"], "label": label})
    return MemorySource([example | {"labeled": True} for example in examples], CITYSCAPES, SPEC.name)


def test_the_same_classes_keep_their_ids_whatever_their_colors():
    again = LabelSpace("again", CITYSCAPES.classes, ((0, 0, 0),) * 19)
    table = translation(CITYSCAPES, again)
    assert (table.dtype, table.shape) == (np.uint8, (256,))
    np.testing.assert_array_equal(table, [*range(19), *[IGNORE] * 237])
    assert describe(CITYSCAPES, again) == []


def test_different_classes_are_named_with_the_remedy():
    line = (
        r"source \(game\) and target \(street\) differ: only the source has cat, tree; only the target has animal; "
        r"set source_data.class_map to \('by_name',\) to match them by name, or to rules \"SOURCE CLASS -> TARGET CLASS"
    )
    with pytest.raises(ValueError, match=line):
        translation(SOURCE, TARGET)
    with pytest.raises(ValueError, match=r"differ: only the source has tree; only the target has none;"):
        translation(space("a", "road", "tree"), space("b", "road"))
    with pytest.raises(ValueError, match=r"differ in their order; set source_data.class_map"):
        translation(space("a", "road", "car"), space("b", "car", "road"))


def test_classes_of_one_name_match_and_the_rest_is_ignored():
    table = translation(SOURCE, TARGET, ("by_name",))
    np.testing.assert_array_equal(table[:5], [1, IGNORE, IGNORE, 0, IGNORE])
    assert table[IGNORE] == table[255] == IGNORE
    assert describe(SOURCE, TARGET, ("by_name",)) == [
        "ignored classes of the source: cat, tree",
        "classes of the target without source pixels: animal",
    ]


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        (("cat -> animal",), [1, 2, IGNORE, 0]),
        (("by_name", " cat->animal ", "tree -> animal"), [1, 2, 2, 0]),  # several to one
        (("car -> ignore",), [1, IGNORE, IGNORE, IGNORE]),
        (("car -> animal", "cat -> car"), [1, 0, IGNORE, 2]),  # a rule goes before the name
    ],
)
def test_rules_go_before_names(rules, expected):
    np.testing.assert_array_equal(translation(SOURCE, TARGET, rules)[:4], expected)


def test_all_that_is_matched_leaves_nothing_to_report():
    assert describe(SOURCE, TARGET, ("cat -> animal", "tree -> animal")) == []
    assert describe(SOURCE, TARGET, ("cat -> animal",)) == ["ignored classes of the source: tree"]


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        (("cta -> animal",), "the source has no class 'cta'; did you mean 'cat'?"),
        (("cat -> anmal",), "the target has no class 'anmal'; did you mean 'animal'?"),
        (("cat -> ignored",), "the target has no class 'ignored'; did you mean 'ignore'?"),
        (("xyz -> animal",), "the source has no class 'xyz'; known: road, cat, tree, car"),
        (("animal",), '\'animal\' is no rule; write "SOURCE CLASS -> TARGET CLASS" or "SOURCE CLASS -> ignore"'),
        (("cat ->",), "'cat ->' is no rule"),
        (("cat -> animal", "cat -> road"), "two rules for the source's class 'cat'"),
        ("by_name", r"source_data.class_map='by_name' is no list; write \('by_name',\)"),
        (("road -> ignore", "car -> ignore"), r"no class of the source's \(game: .*\) has one in the target \(street"),
    ],
)
def test_a_map_that_cannot_be_used_is_told_with_the_remedy(rules, message):
    with pytest.raises(ValueError, match=message):
        translation(SOURCE, TARGET, rules)


def test_spaces_without_a_common_class_are_refused():
    for target in (space("other", "sky"), space("empty")):
        with pytest.raises(ValueError, match=r"has one in the target \(.*\); name pairs in source_data.class_map"):
            translation(SOURCE, target, ("by_name",))


def test_the_documented_rules_give_camvid_all_its_classes():
    table = translation(CITYSCAPES, CAMVID, CITYSCAPES_TO_CAMVID)
    assert describe(CITYSCAPES, CAMVID, CITYSCAPES_TO_CAMVID) == []
    found = {name: CAMVID.classes[table[index]] for index, name in enumerate(CITYSCAPES.classes)}
    assert {name for name, camvid in found.items() if name == camvid} == {
        *("road", "building", "fence", "pole", "sky", "car")
    }
    assert (found["terrain"], found["traffic light"], found["motorcycle"]) == ("tree", "sign symbol", "bicyclist")


def test_mapillary_matches_cityscapes_by_name_but_for_two_classes_and_what_is_split():
    table = translation(CITYSCAPES, MAPILLARY, ("by_name",))
    ignored = [name for index, name in enumerate(CITYSCAPES.classes) if table[index] == IGNORE]
    assert ignored == ["traffic sign", "rider", "train"]


def test_a_relabeled_source_differs_in_its_labels_and_its_space_only():
    plain, other = scenes(), Relabeled(scenes(), CAMVID, CITYSCAPES_TO_CAMVID)
    assert (len(other), other.names, other.size, other.fields) == (3, plain.names, plain.size, plain.fields)
    assert other.space == CAMVID
    for index in range(3):
        a, b = plain.read(index, ("label",)), other.read(index, ("label",))
        assert b["label"].dtype == np.uint8
        assert b["label"][0, 0] == IGNORE
        for before, after in zip(a["label"].flat, b["label"].flat, strict=True):
            expected = IGNORE if before == IGNORE else other.table[before]
            assert after == expected
        np.testing.assert_array_equal(a["image"], b["image"])
        assert (a["name"], a.keys()) == (b["name"], b.keys())
    assert "label" not in other.read(0, ())


def test_batches_have_the_targets_ids():
    held = load_into_memory(Relabeled(scenes(), CAMVID, CITYSCAPES_TO_CAMVID), ("label",))
    assert held.space == CAMVID
    batch = next(memory_batches(held, seed=0, batch_size=3, crop=(8, 8)))
    assert set(np.unique(batch.label)) <= {*range(CAMVID.num_classes), IGNORE}
