from hypothesis import given
from hypothesis import strategies as st

from gradcheck.diagnosis.status import FLAGS, STATUSES
from gradcheck.explanations import TOPICS
from gradcheck.render.style import STYLES, can_show_blocks, in_ascii, without_controls


def test_every_flag_and_verdict_has_a_colour():
    assert set(FLAGS) | set(STATUSES) <= set(STYLES)


def test_an_encoding_shows_blocks_or_not():
    for encoding, shows in [
        ("utf-8", True),
        ("UTF8", True),
        ("utf-16", True),
        ("ascii", False),
        ("ANSI_X3.4-1968", False),
        ("latin-1", False),
        ("cp1252", False),
        ("no such encoding", False),
        ("", False),
    ]:
        assert can_show_blocks(encoding) is shows, encoding


@given(st.text())
def test_any_text_becomes_ascii(text):
    assert in_ascii(text).isascii()


@given(st.text(st.characters(max_codepoint=127)))
def test_ascii_stays_as_it_is(text):
    assert in_ascii(text) == text


def test_what_gradcheck_itself_writes_has_a_likeness():
    assert (
        in_ascii("sigmoid · xavier × 2, log10 −36.1 … −2.4, a – b")
        == "sigmoid - xavier x 2, log10 -36.1 ... -2.4, a - b"
    )


def test_every_character_of_the_pages_has_a_likeness():
    said = "".join(str(part) for topic in TOPICS.values() for part in topic)
    assert in_ascii(said).count("?") == said.count("?")


@given(st.text())
def test_control_characters_are_shown_and_not_obeyed(text):
    shown = without_controls(text)
    assert shown.isprintable()
    assert not set(shown) & set("\x1b\r\n\t\b\x07")


@given(st.text().filter(str.isprintable))
def test_printable_text_stays_as_it_is(text):
    assert without_controls(text) == text
