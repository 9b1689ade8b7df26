import re
import urllib.parse
from html.parser import HTMLParser

import pytest
from PIL import Image

from sde_seg_jax.display.budget import Budget
from sde_seg_jax.display.selection_page import Choice, write_selection_page

EVIL = '<script>alert("&")</script>'
FIRST = Choice(1, "a/first", 2, "random")
SECOND = Choice(2, "a/second", 2, "ds", 12.3456, 12.3456)
THIRD = Choice(3, "b/third", 4, "ds_us", 1045.6, 10.0, 0.01234)


def page(tmp_path, *choices, budget=None, title="t", intro="i", summary=None):
    path = tmp_path / "page.html"
    assert path == write_selection_page(path, title=title, intro=intro, choices=choices, budget=budget, summary=summary)
    return path.read_text()


def headings(text):
    return re.findall(r"<h2[^>]*>(.*?)</h2>", text)


def tags(text, name):
    found = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attributes: found.append((tag, dict(attributes)))
    parser.feed(text)
    return [attributes for tag, attributes in found if tag == name]


def test_every_step_has_its_heading_and_says_what_decided(tmp_path):
    text = page(tmp_path, FIRST, SECOND, THIRD)
    assert headings(text) == ["How to read the list", "Labels 1 to 2", "Label 3"]
    assert "Random (1 frame): drawn by the seed." in text
    assert "Diversity (1 frame): each time the frame whose features are farthest" in text
    assert [link["href"] for link in tags(text, "a")] == ["#label-1", "#label-3"]
    assert {link["href"][1:] for link in tags(text, "a")} <= {heading.get("id") for heading in tags(text, "h2")}


def test_numbers_are_short_and_missing_ones_explained(tmp_path):
    text = page(tmp_path, FIRST, SECOND, THIRD)
    found = re.findall(
        r"score <b>(.*?)</b></span><span>feature distance <b>(.*?)</b></span><span>error <b>(.*?)<", text
    )
    assert found == [("–", "–", "–"), ("12.3", "12.3", "–"), ("1,046", "10.0", "0.0123")]
    assert "– stands where there is no such number" in text
    assert "– stands" not in page(tmp_path, THIRD)


def test_numbers_that_no_frame_has_are_not_mentioned(tmp_path):
    text = page(tmp_path, FIRST)
    assert "feature distance" not in text
    assert "student" not in text
    assert "In the pictures" not in text


def test_a_picture_is_a_file_beside_the_page_and_loads_when_seen(tmp_path):
    name = "pictures/a #1 50%.jpg"
    (tmp_path / "pictures").mkdir()
    Image.new("RGB", (40, 10)).save(tmp_path / name)
    text = page(tmp_path, Choice(1, "x", 1, "ds", picture=name), Choice(2, "y", 2, "ds", picture="pictures/gone.jpg"))
    here, gone = tags(text, "img")
    assert (tmp_path / urllib.parse.unquote(here["src"])).is_file()
    assert (here["loading"], here["alt"]) == ("lazy", "image, disparities and error of x")
    assert (here["width"], here["height"]) == ("40", "10")
    assert "width" not in gone
    assert "data:image" not in text


def test_a_picture_elsewhere_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"'/p\.jpg' of 'x' must be a path relative to the page"):
        page(tmp_path, Choice(1, "x", 1, "ds", picture="/p.jpg"))


def test_everything_is_escaped_and_nothing_is_loaded_from_outside(tmp_path):
    budget = Budget([1, 2], [2.0, 1.0], [1.0, 0.5], [(2, 0.1)])
    evil = Choice(1, EVIL, 1, EVIL, picture='http://x/"><script>.jpg')
    text = page(tmp_path, evil, budget=budget, title=EVIL, intro=EVIL, summary={EVIL: EVIL})
    assert not re.search(r"<script|<link|@import|url\(|https?://", text)
    assert f"{text.count('<figure')}" == "2"


def test_the_headlines_tell_how_many_by_what_and_what_is_left(tmp_path):
    budget = Budget([1, 2, 3], [9.0, 8.0, 4.5], [2.0, 1.0, 0.9], [(2, 0.5), (3, 0.25)])
    text = page(tmp_path, Choice(1, "old", 1, "start"), SECOND, THIRD, budget=budget)
    cards = re.findall(
        r'class="title">(.*?)</div><div class="value">(.*?)</div>(?:<div class="note">(.*?)</div>)?', text
    )
    assert cards == [
        ("Frames chosen", "2", "in 2 steps, after 1 frame labeled before"),
        ("Chosen by", "diversity", "1 diversity, 1 diversity + uncertainty"),
        ("Largest distance left", "4.50", "of an unlabeled frame to the nearest labeled; 9.00 after 1 label"),
        ("Uncertainty left", "0.250", "mean score of the unlabeled after 3 labels; 0.500 after 2 labels"),
    ]
    assert "Coverage still grows" in text
    assert tags(text, "img")[0]["src"].startswith("data:image/png")


def test_a_thousand_choices_make_a_small_page(tmp_path):
    choices = [
        Choice(i, f"city/frame_{i:06d}", 1000, "ds_us", 1e3, 1.0, 0.1, f"pictures/{i}.jpg") for i in range(1, 1001)
    ]
    text = page(tmp_path, *choices)
    assert text.count('class="choice"') == 1000
    assert len(text) < 1e6
    assert not tags(text, "a")  # a single step needs no jumps


def test_an_empty_list_is_a_page_too(tmp_path):
    assert '<div class="value">0</div>' in page(tmp_path, budget=Budget([]))
