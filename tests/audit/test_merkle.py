"""The tree against RFC 6962's own recursive definition, its published vectors, and proofs that were tampered with."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lictor.audit import merkle

#: The entries and roots that Certificate Transparency's own tests use.
ENTRIES = [
    bytes.fromhex(text)
    for text in (
        "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
    )
]  # fmt: skip
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
PATHS = {
    (0, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (5, 8): [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 3): ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"],
}
GROWTHS = {
    (1, 8): PATHS[0, 8],
    (6, 8): [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
}


def naive(entries):
    """MTH of RFC 6962, 2.1, word for word."""
    if not entries:
        return sha256(b"").digest()
    if len(entries) == 1:
        return sha256(b"\0" + entries[0]).digest()
    k = 1
    while 2 * k < len(entries):
        k *= 2
    return sha256(b"\1" + naive(entries[:k]) + naive(entries[k:])).digest()


def naive_path(m, entries):
    """PATH of RFC 6962, 2.1.1."""
    if len(entries) == 1:
        return []
    k = 1
    while 2 * k < len(entries):
        k *= 2
    if m < k:
        return [*naive_path(m, entries[:k]), naive(entries[k:])]
    return [*naive_path(m - k, entries[k:]), naive(entries[:k])]


def naive_subproof(m, entries, *, known):
    """SUBPROOF of RFC 6962, 2.1.2."""
    if m == len(entries):
        return [] if known else [naive(entries)]
    k = 1
    while 2 * k < len(entries):
        k *= 2
    if m <= k:
        return [*naive_subproof(m, entries[:k], known=known), naive(entries[k:])]
    return [*naive_subproof(m - k, entries[k:], known=False), naive(entries[:k])]


def spans_of(entries):
    return lambda start, end: naive(entries[start:end])


def grown(entries):
    tree = merkle.Frontier()
    for entry in entries:
        tree.add(entry)
    return tree


def test_the_published_roots():
    assert merkle.EMPTY.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert grown([]).root() == merkle.EMPTY
    assert [grown(ENTRIES[: size + 1]).root().hex() for size in range(8)] == ROOTS


@pytest.mark.parametrize(("index", "size"), PATHS)
def test_the_published_inclusion_proofs(index, size):
    path = merkle.inclusion(index, size, spans_of(ENTRIES[:size]))
    assert [one.hex() for one in path] == PATHS[index, size]
    root = bytes.fromhex(ROOTS[size - 1])
    assert merkle.includes(merkle.entry_hash(ENTRIES[index]), index, size, path, root)


@pytest.mark.parametrize(("old", "new"), GROWTHS)
def test_the_published_consistency_proofs(old, new):
    path = merkle.consistency(old, new, spans_of(ENTRIES))
    assert [one.hex() for one in path] == GROWTHS[old, new]
    assert merkle.extends(old, new, path, bytes.fromhex(ROOTS[old - 1]), bytes.fromhex(ROOTS[new - 1]))


@given(st.lists(st.binary(max_size=8), min_size=1, max_size=70), st.data())
def test_every_tree_is_that_of_the_definition(entries, data):
    size = len(entries)
    root = naive(entries)
    assert grown(entries).root() == root
    index = data.draw(st.integers(0, size - 1))
    path = merkle.inclusion(index, size, spans_of(entries))
    assert list(path) == naive_path(index, entries)
    leaf = merkle.entry_hash(entries[index])
    assert merkle.includes(leaf, index, size, path, root)
    old = data.draw(st.integers(1, size))
    growth = merkle.consistency(old, size, spans_of(entries))
    assert list(growth) == naive_subproof(old, entries, known=True)
    assert merkle.extends(old, size, growth, naive(entries[:old]), root)


@given(st.lists(st.binary(max_size=8), min_size=2, max_size=40, unique=True), st.data())
def test_a_proof_that_was_tampered_with_is_not_one(entries, data):
    size, root = len(entries), naive(entries)
    index = data.draw(st.integers(0, size - 1))
    leaf, path = merkle.entry_hash(entries[index]), merkle.inclusion(index, size, spans_of(entries))
    other = data.draw(st.integers(-1, size).filter(lambda at: at != index))
    assert not merkle.includes(leaf, other, size, path, root)
    assert not merkle.includes(leaf, index, size, path[:-1], root)
    assert not merkle.includes(leaf, index, size, (*path, root), root)
    assert not merkle.includes(merkle.entry_hash(b"another entry"), index, size, path, root)
    old = data.draw(st.integers(1, size - 1))
    growth, before = merkle.consistency(old, size, spans_of(entries)), naive(entries[:old])
    assert not merkle.extends(old, size, growth, naive([*entries[: old - 1], b"another entry"]), root)
    assert not merkle.extends(old, size, growth, before, naive([*entries[:-1], b"another entry"]))
    assert not merkle.extends(old, size, growth[:-1], before, root)
    assert not merkle.extends(old, size, (*growth, root), before, root)
    at = data.draw(st.integers(0, len(growth) - 1))
    flipped = (*growth[:at], bytes([growth[at][0] ^ 1]) + growth[at][1:], *growth[at + 1 :])
    assert not merkle.extends(old, size, flipped, before, root)


def test_what_cannot_be_proved_is_refused():
    with pytest.raises(ValueError, match="no entry 3"):
        merkle.inclusion(3, 3, spans_of(ENTRIES))
    with pytest.raises(ValueError, match="does not begin"):
        merkle.consistency(4, 3, spans_of(ENTRIES))
    assert merkle.consistency(0, 3, spans_of(ENTRIES)) == ()
    assert merkle.extends(0, 3, (), merkle.EMPTY, bytes.fromhex(ROOTS[2]))
    assert not merkle.extends(0, 3, (), b"x" * 32, bytes.fromhex(ROOTS[2]))
    assert not merkle.extends(3, 2, (), b"", b"")


def test_spans_side_by_side_make_their_parent():
    hashes = [merkle.entry_hash(entry) for entry in ENTRIES]
    assert merkle.whole(hashes).hex() == ROOTS[7]
    assert merkle.whole(hashes[:1]).hex() == ROOTS[0]
