import re
from html.parser import HTMLParser

import numpy as np
import pytest

from sde_seg_jax.display.page import Card, Cards, Facts, Figure, Section, Table, Text, write_page
from sde_seg_jax.display.summary import RunSummary
from sde_seg_jax.display.training_page import training_page
from sde_seg_jax.label_spaces import CAMVID

EVIL = '<script>alert("&")</script>'
IMAGE = np.zeros((2, 3, 3), np.uint8)


class Tags(HTMLParser):
    """Collects tags, and checks that they close in order."""

    def __init__(self, text):
        super().__init__()
        self.found, self.open = [], []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def page(tmp_path, *parts, **options):
    path = write_page(tmp_path / "new" / "r.html", title=EVIL, intro=EVIL, sections=[Section(EVIL, parts)], **options)
    return path.read_text()


def test_everything_is_escaped(tmp_path):
    parts = [
        Text(EVIL),
        Table([{EVIL: EVIL}], caption=EVIL),
        Figure(IMAGE, EVIL, EVIL),
        Cards([Card(EVIL, EVIL, EVIL, EVIL, EVIL)]),
        Facts({EVIL: EVIL, EVIL + "config": {EVIL: EVIL}}),
    ]
    text = page(tmp_path, *parts, summary={EVIL: [EVIL]})
    assert "<script" not in text
    assert {tag for tag, _ in Tags(text).found} >= {"table", "img", "details", "dl", "h2"}


def test_the_page_is_one_file_that_loads_nothing(tmp_path):
    text = page(tmp_path, Figure(IMAGE, "a caption"), summary={"config": {"a": 1}})
    assert not re.search(r"https?://|@import|url\(|<link|<script", text)
    images = [attributes for tag, attributes in Tags(text).found if tag == "img"]
    assert [image["src"][:22] for image in images] == ["data:image/png;base64,"]
    assert (images[0]["alt"], images[0]["width"], images[0]["height"]) == ("a caption", "3", "2")
    assert len(list((tmp_path / "new").iterdir())) == 1


def test_bytes_that_are_no_png_are_refused(tmp_path):
    with pytest.raises(ValueError, match="must be a PNG, got b'GIF87a"):
        page(tmp_path, Figure(b"GIF87a", "x"))


def test_paragraphs_and_lists():
    assert Text("a\n\nb").html() == "<p>a</p>\n<p>b</p>\n"
    assert "<dd>1, 2</dd>" in Facts({"seeds": [1, 2]}).html()
    assert "<dd>not run</dd>" in Facts({"time": None}).html()


def report(tmp_path, *runs):
    runs = [RunSummary(metrics=tmp_path / "none.jsonl", **run) for run in runs]
    return training_page(tmp_path / "r.html", runs, title="t", intro="i", space=CAMVID).read_text()


def iou(value):
    return {"miou": value, "iou": [value] * 10 + [float("nan")]}


DEPTH = {"name": "depth", "role": "depth", "final": {"val/abs_rel": 0.15, "val/constant_abs_rel": 0.3}}
BASELINE = {"name": "labels only", "role": "baseline", "final": iou(0.5)}
OURS = {"name": "ours", "role": "ours", "final": iou(0.56), "labels": 50, "images": 367, "seconds": 6120.0}


def test_headlines_tell_whether_the_method_worked(tmp_path):
    text = report(tmp_path, DEPTH, BASELINE, OURS)
    for fact in ("50% below a constant depth", "+6.0 points against the baseline", "(13.6%)", "1 h 42 min"):
        assert fact in text
    assert text.count('class="card good"') == 2


def test_a_baseline_that_stands_alone_is_shown_as_such(tmp_path):
    text = report(tmp_path, BASELINE)
    (card,) = re.findall(r"Segmentation \(mIoU, %\).*?</div>\s*</div>", text, re.S) or [text]
    assert "50.0" in card
    assert "the baseline alone; nothing beside it yet" in text


def test_a_failure_is_called_one(tmp_path):
    worse = {**OURS, "final": iou(0.4)}
    flat = {**DEPTH, "final": {"abs_rel": 0.3, "constant_abs_rel": 0.3}}
    text = report(tmp_path, flat, BASELINE, worse)
    assert "no better than a constant depth" in text
    assert text.count('class="card bad"') == 2


def test_a_gain_within_the_spread_of_seeds_is_unclear(tmp_path):
    seeds = [{**OURS, "final": iou(value), "seed": i} for i, value in enumerate((0.46, 0.58))]
    text = report(tmp_path, BASELINE, *seeds)
    assert "+2.0 points against the baseline, within the spread of seeds" in text
    assert "52.0 ± 8.5 (n=2)" in text
    assert 'class="card unclear"' in text


def test_classes_have_colours_gains_and_absence(tmp_path):
    text = report(tmp_path, BASELINE, OURS)
    assert 'background:rgb(128,64,128)"></span>road</td><td class="n">50.0</td><td class="n">56.0</td>' in text
    assert '<td class="n">+6.0</td>' in text
    assert text.count('<td class="n">absent</td>') == 2


def test_the_constant_depth_is_a_row_of_its_own(tmp_path):
    final = {"abs_rel": 0.15, "rmse": 4.0, "constant/abs_rel": 0.3, "constant/rmse": 9.0}
    text = report(tmp_path, {**DEPTH, "final": final})
    row = text[text.index("<td>best constant depth</td>") :].split("</tr>")[0]
    assert re.findall(r">([\d.]+)<", row) == ["0.300", "9.000"]


def test_what_was_not_run_says_so(tmp_path):
    text = report(tmp_path, {"name": "ours", "role": "ours"}, {"name": "depth", "role": "depth"})
    assert text.count("not run") > 10
    assert not re.search(r"<td[^>]*></td>|<dd></dd>", text)


def test_classes_may_be_named_one_by_one_and_must_fit_the_space(tmp_path):
    named = {"miou": 0.5, **{f"val/iou/{name}": 0.5 for name in CAMVID.classes}}
    assert report(tmp_path, {**OURS, "final": named}).count('<td class="n">50.0</td>') >= 11
    with pytest.raises(ValueError, match="has 3 class IoUs, but 'camvid' has 11"):
        report(tmp_path, {**OURS, "final": {"iou": [0.1] * 3}})


def test_pictures_and_configs_are_included(tmp_path):
    text = report(tmp_path, {**OURS, "pictures": [("frame 7", IMAGE)], "config": {"lr": 0.01}})
    alternatives = [attributes["alt"] for tag, attributes in Tags(text).found if tag == "img"]
    assert "Line charts" in alternatives[0]
    assert alternatives[1] == "frame 7 (ours)"
    assert "&quot;lr&quot;: 0.01" in text
