"""What differs between the token ids of a text, and what to change in the page; by code."""

from __future__ import annotations

TEXTS = {
    "tokens-shifted": (
        "the token ids are shifted",
        "Count in the page as in Python. TextVectorization gives 0 to padding and 1 to unknown words, so that"
        " the first word of a vocabulary without these two is 2: const id = vocabulary.indexOf(word) + 2. Add"
        " the ids of begin and end on both sides or on neither.",
    ),
    "padding-differs": (
        "the padding is on another side, or has another id",
        "Pad in the page as in Python. TextVectorization pads at the end: while (ids.length < length) "
        "ids.push(0). keras.utils.pad_sequences pads at the front, unless padding='post': ids.unshift(0).",
    ),
    "truncation-differs": (
        "the other end of a long text is cut off",
        "Cut in the page as in Python. TextVectorization keeps the first words: ids.slice(0, length). "
        "keras.utils.pad_sequences keeps the last ones, unless truncating='post': ids.slice(-length).",
    ),
    "tokens-reversed": (
        "the words have the opposite order",
        "Leave the order in the page as Python has it: remove ids.reverse(), or call it if Python does.",
    ),
    "lower-case-differs": (
        "capitals are treated differently",
        "Call text.toLowerCase() in the page before it is split, as TextVectorization does with "
        "standardize='lower_and_strip_punctuation', or leave it out on both sides.",
    ),
    "punctuation-differs": (
        "punctuation is treated differently",
        "Remove punctuation in the page as TextVectorization does: "
        "text.replace(/[!\"#$%&()*+,\\-.\\/:;<=>?@[\\\\\\]^_`{|}~']/g, ''), before it is split at white space. "
        "pycheck preprocess --emit js writes the whole tokenizer.",
    ),
    "unknown-words-differ": (
        "words that only one side knows, or neither, have different ids",
        "Load the same vocabulary in the page, with all its words, and give unknown words the id of Python: "
        "vocabulary.get(word) ?? 1. TextVectorization has 1 for them. pycheck preprocess --emit js writes the "
        "tokenizer with the vocabulary of Python.",
    ),
}
