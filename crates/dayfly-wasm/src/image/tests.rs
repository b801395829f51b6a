use super::*;
use crate::abi::WASM_PAGE_BYTES;

const MEMORY_BYTES: usize = 4 * WASM_PAGE_BYTES as usize;

/// A zeroed memory in which the pages with these indices hold their index + 1 in every octet.
fn memory(pages: &[u32]) -> Vec<u8> {
    let mut memory = vec![0; MEMORY_BYTES];
    for index in pages {
        memory[*index as usize * PAGE_BYTES..][..PAGE_BYTES].fill(*index as u8 + 1);
    }
    memory
}

fn image(pages: &[u32]) -> Image {
    Image::from_memory(&memory(pages))
}

fn indices<'a>(pages: impl Iterator<Item = (u32, &'a [u8])>) -> Vec<u32> {
    pages.map(|(index, _)| index).collect()
}

#[test]
fn an_image_holds_the_pages_that_are_not_zero() {
    let pages = [0, 1, 2, 10, 62, 63];
    let image = image(&pages);
    assert_eq!(image.memory_bytes(), MEMORY_BYTES as u64);
    assert_eq!(indices(image.pages()), pages);
    let runs: Vec<(u64, usize)> = image.runs().map(|(offset, octets)| (offset, octets.len())).collect();
    assert_eq!(runs, [(0, 3 * PAGE_BYTES), (10 * 4096, PAGE_BYTES), (62 * 4096, 2 * PAGE_BYTES)]);
    for index in 0..64 {
        let expected = pages.contains(&index).then(|| vec![index as u8 + 1; PAGE_BYTES]);
        assert_eq!(image.page(index), expected.as_deref());
    }
    assert_eq!(image.page(64), None);
    assert_eq!(image.page(u32::MAX), None);
}

#[test]
fn one_octet_makes_a_page_part_of_the_image() {
    for at in [0, 4095, 4096, 5001, MEMORY_BYTES - 1] {
        let mut memory = memory(&[]);
        memory[at] = 1;
        assert_eq!(indices(Image::from_memory(&memory).pages()), [(at / PAGE_BYTES) as u32]);
    }
}

#[test]
fn writing_an_image_makes_any_memory_equal_to_it() {
    for pages in [&[][..], &[0], &[5, 6, 63]] {
        let mut target = memory(&[0, 6, 7]);
        image(pages).write_to(&mut target);
        assert_eq!(target, memory(pages));
    }
}

#[test]
#[should_panic(expected = "an image fits only a memory of its own size")]
fn writing_an_image_over_another_size_is_our_mistake() {
    image(&[1]).write_to(&mut vec![0; MEMORY_BYTES / 2]);
}

#[test]
fn encoding_and_decoding_gives_the_image_back() {
    for pages in [&[][..], &[0], &[63], &[0, 2, 4, 6], &(0..64).collect::<Vec<_>>()] {
        let image = image(pages);
        let octets = image.encode();
        assert_eq!(octets.len(), (1 + pages.len()) * PAGE_BYTES);
        assert_eq!(Image::decode(&octets), Ok(image));
    }
}

#[test]
fn the_digest_is_that_of_the_encoding() {
    let image = image(&[3, 4, 9]);
    let expected: Digest = Sha256::digest(image.encode()).into();
    assert_eq!(image.digest(), expected);
    let delta = Delta::between(&image, &self::image(&[3, 5])).expect("the same size");
    let expected: Digest = Sha256::digest(delta.encode()).into();
    assert_eq!(delta.digest(), expected);
}

#[test]
fn the_encoding_is_this_one() {
    let octets = image(&[2, 3]).encode();
    assert_eq!(octets[..8], *b"dayflyim");
    assert_eq!(octets[8..12], 1u32.to_le_bytes());
    assert_eq!(octets[12..16], 1u32.to_le_bytes());
    assert_eq!(octets[16..24], (MEMORY_BYTES as u64).to_le_bytes());
    assert_eq!(octets[24..32], [2u32.to_le_bytes(), 2u32.to_le_bytes()].concat());
    assert!(octets[32..4096].iter().all(|octet| *octet == 0));
    assert_eq!(octets[4096..], memory(&[2, 3])[2 * 4096..4 * 4096]);
}

#[test]
fn a_delta_turns_the_base_into_the_target() {
    for (base, target, changed) in [
        (&[][..], &[][..], &[][..]),
        (&[1, 2], &[1, 2], &[]),
        (&[], &[7, 8], &[7, 8]),
        // Pages that become zero are part of it.
        (&[7, 8, 9], &[8], &[7, 9]),
        (&[0, 1, 2, 63], &[1, 5, 6], &[0, 2, 5, 6, 63]),
    ] {
        let (base, target) = (image(base), image(target));
        let delta = Delta::between(&base, &target).expect("the same size");
        assert_eq!(indices(delta.pages()), changed);
        assert_eq!(delta.base(), &base.digest());
        let delta = Delta::decode(&delta.encode()).expect("just encoded");
        assert_eq!(delta.apply(&base), Ok(target));
    }
}

#[test]
fn a_delta_fits_its_own_base_only() {
    let delta = Delta::between(&image(&[1]), &image(&[2])).expect("the same size");
    let refused = |base: &Image| delta.apply(base).expect_err("another base").to_string();
    assert_eq!(refused(&image(&[1, 3])), "delta: it belongs to another base");
    let small = Image::from_memory(&memory(&[1])[..MEMORY_BYTES / 2]);
    assert_eq!(refused(&small), "delta: the base has another memory size");
    assert!(Delta::between(&small, &image(&[1])).is_err());
}

/// The encoding of one run of pages, with each field as given.
fn encoding(version: u32, runs: &[(u32, u32)], memory_bytes: u64, stored: usize) -> Vec<u8> {
    let mut octets = b"dayflyim".to_vec();
    octets.extend(version.to_le_bytes());
    octets.extend((runs.len() as u32).to_le_bytes());
    octets.extend(memory_bytes.to_le_bytes());
    for (first, pages) in runs {
        octets.extend([first.to_le_bytes(), pages.to_le_bytes()].concat());
    }
    octets.resize(octets.len().next_multiple_of(PAGE_BYTES), 0);
    octets.resize(octets.len() + stored * PAGE_BYTES, 1);
    octets
}

#[test]
fn encodings_that_lie_are_refused_with_the_reason() {
    let memory_bytes = MEMORY_BYTES as u64;
    assert!(Image::decode(&encoding(1, &[(0, 1), (2, 2)], memory_bytes, 3)).is_ok());
    for (octets, expected) in [
        (encoding(2, &[(0, 1)], memory_bytes, 1), "it has another version"),
        (encoding(1, &[(0, 1)], memory_bytes + 4096, 1), "no memory has this size"),
        (encoding(1, &[], 0, 0), "no memory has this size"),
        (encoding(1, &[], 1 << 33, 0), "no memory has this size"),
        (encoding(1, &[(0, 0)], memory_bytes, 0), "its runs are not in order"),
        (encoding(1, &[(2, 1), (0, 1)], memory_bytes, 2), "its runs are not in order"),
        (encoding(1, &[(0, 2), (1, 1)], memory_bytes, 3), "its runs are not in order"),
        (encoding(1, &[(0, 1), (1, 1)], memory_bytes, 2), "its runs are not in order"),
        (encoding(1, &[(63, 2)], memory_bytes, 2), "its runs are not in order"),
        (encoding(1, &[(u32::MAX, 1)], memory_bytes, 1), "its runs are not in order"),
        (encoding(1, &[(1, u32::MAX)], memory_bytes, 1), "its runs are not in order"),
        (encoding(1, &[(0, 2)], memory_bytes, 1), "it has another length than its runs"),
        (encoding(1, &[(0, 1)], memory_bytes, 2), "it has another length than its runs"),
        (b"dayflyde".to_vec(), "it does not begin as one"),
        (Vec::new(), "it ends too early"),
    ] {
        let error = Image::decode(&octets).expect_err(expected);
        assert_eq!(error.to_string(), format!("image: {expected}"));
    }
}

#[test]
fn an_image_with_a_zero_page_or_padding_that_is_not_zero_is_refused() {
    let mut octets = image(&[1]).encode();
    octets[4095] = 1;
    assert_eq!(Image::decode(&octets).expect_err("padding").to_string(), "image: its padding is not zero");
    octets[4095] = 0;
    octets[4096..].fill(0);
    assert_eq!(Image::decode(&octets).expect_err("zeros").to_string(), "image: a page is all zero");
}

#[test]
fn a_head_that_promises_much_makes_nothing_be_allocated() {
    let mut octets = encoding(1, &[], 1 << 32, 0);
    octets[12..16].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(Image::decode(&octets).expect_err("too short").to_string(), "image: it ends too early");
}

#[test]
fn every_truncation_is_refused() {
    let image = image(&[1, 2, 9]);
    let delta = Delta::between(&image, &self::image(&[2, 3])).expect("the same size");
    for (octets, decodes) in [
        (image.encode(), (|octets| Image::decode(octets).is_ok()) as fn(&[u8]) -> bool),
        (delta.encode(), |octets| Delta::decode(octets).is_ok()),
    ] {
        assert!(decodes(&octets));
        assert!((0..octets.len()).all(|end| !decodes(&octets[..end])));
        assert!(!decodes(&[&octets[..], &[0]].concat()));
    }
}

#[test]
fn what_decodes_after_a_flipped_bit_encodes_to_the_same_octets() {
    let image = image(&[1, 2, 9]);
    let delta = Delta::between(&image, &self::image(&[2, 3])).expect("the same size");
    let (image, delta) = (image.encode(), delta.encode());
    // All bits of the head, and some of the contents, in which any value is right.
    let bits = |octets: &[u8]| (0..PAGE_BYTES * 8).chain((PAGE_BYTES * 8..octets.len() * 8).step_by(9973));
    let flipped = |octets: &[u8], bit: usize| {
        let mut octets = octets.to_vec();
        octets[bit / 8] ^= 1 << (bit % 8);
        octets
    };
    for octets in bits(&image).map(|bit| flipped(&image, bit)) {
        assert!(Image::decode(&octets).map_or(true, |decoded| decoded.encode() == octets));
    }
    for octets in bits(&delta).map(|bit| flipped(&delta, bit)) {
        assert!(Delta::decode(&octets).map_or(true, |decoded| decoded.encode() == octets));
    }
}
