//! Pictures that are none, are damaged or are absurd: each has its reason.

use super::decode;
use crate::{MAX_DECODING, Refusal, probe};

/// A PNG that says that it is 50,000 × 50,000, and goes no further than its header.
fn absurd_png() -> Vec<u8> {
    png_header([50_000; 2], [8, 2])
}

/// A PNG's header: its size, bits per sample and colour type.
fn png_header(size: [u32; 2], kind: [u8; 2]) -> Vec<u8> {
    let mut png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
    png.extend(size.into_iter().flat_map(u32::to_be_bytes));
    png.extend(kind);
    png.extend([0; 3]);
    png.extend(0x6d64_4f43_u32.to_be_bytes());
    let checksum = crc(&png[12..29]);
    png.splice(29..33, checksum.to_be_bytes());
    png.extend(b"\0\0\0\0IDAT");
    png
}

fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg())
        })
    })
}

fn golden(name: &str) -> Vec<u8> {
    super::golden::tensor(&format!("{name}.file"))
}

/// The golden GIF with another size of its first frame.
fn gif_with_frame(width: u16, height: u16) -> Vec<u8> {
    let mut gif = golden("gif");
    let place = [0u8, 0, 0, 0, 45, 0, 31, 0]; // left, top, width, height
    let frame = gif.windows(9).position(|w| w[0] == b',' && w[1..] == place);
    let size = frame.unwrap() + 5;
    gif[size..size + 2].copy_from_slice(&width.to_le_bytes());
    gif[size + 2..size + 4].copy_from_slice(&height.to_le_bytes());
    gif
}

#[test]
fn a_gif_is_as_large_as_its_frame_and_refused_before_a_giant_one_is_decoded() {
    let larger = gif_with_frame(122, 7);
    let picture = decode(&larger).unwrap();
    assert_eq!((picture.width, picture.height), (122, 31));
    assert_eq!(probe(&larger), Ok((122, 31)));
    let (width, height) = (65_535, 65_535);
    let giant = gif_with_frame(65_535, 65_535);
    assert_eq!(probe(&giant), Err(Refusal::TooLarge { width, height }));
    assert_eq!(decode(&giant), Err(Refusal::TooLarge { width, height }));
}

#[test]
fn each_kind_of_bad_picture_has_its_reason() {
    let mut absurd_gif = golden("gif");
    absurd_gif[6..10].copy_from_slice(&[0xff; 4]);
    let mut jpeg = golden("jpeg_420");
    let half = jpeg.len() / 2;
    let mut absurd_jpeg = jpeg.clone();
    let size = absurd_jpeg
        .windows(2)
        .position(|w| w == [0xff, 0xc0])
        .unwrap()
        + 5;
    absurd_jpeg[size..size + 4].copy_from_slice(&[0xc3, 0x50, 0xc3, 0x50]);
    jpeg.truncate(half);
    let mut png = golden("png_rgb");
    png.truncate(png.len() / 2);
    let mut garbled = golden("png_rgb");
    let middle = garbled.len() / 2;
    garbled[middle..middle + 40].fill(0x5a);
    let cases: [(&str, Vec<u8>, &str, &str); 10] = [
        ("empty", vec![], "empty file", "empty file"),
        (
            "a text named .jpg",
            b"<html>404</html>".to_vec(),
            "not a picture",
            "not a picture (JPEG, PNG, GIF, WebP, BMP or TIFF)",
        ),
        ("half a JPEG", jpeg, "truncated", "truncated"),
        ("half a PNG", png, "truncated", "truncated"),
        (
            "the first bytes of a GIF",
            golden("gif")[..9].to_vec(),
            "truncated",
            "truncated",
        ),
        (
            "the first bytes of a JPEG",
            vec![0xff, 0xd8, 0xff],
            "truncated",
            "truncated",
        ),
        ("a garbled PNG", garbled, "corrupt", "corrupt: "),
        (
            "an absurd PNG",
            absurd_png(),
            "too large",
            "too large: 50000 x 50000 pixels, at most 178956970 in all",
        ),
        (
            "an absurd GIF",
            absurd_gif,
            "too large",
            "too large: 65535 x 65535 pixels",
        ),
        (
            "an absurd JPEG",
            absurd_jpeg,
            "too large",
            "too large: 50000 x 50000 pixels",
        ),
    ];
    for (name, bytes, kind, reason) in cases {
        let refusal = decode(&bytes).expect_err(name);
        assert_eq!(refusal.kind(), kind, "{name}: {refusal}");
        assert!(refusal.to_string().starts_with(reason), "{name}: {refusal}");
    }
}

#[test]
fn absurd_sizes_are_refused_by_their_header() {
    assert!(matches!(
        probe(&absurd_png()),
        Err(Refusal::TooLarge { .. })
    ));
}

#[test]
fn what_would_take_too_much_memory_is_refused_by_its_header() {
    let row = decode(&png_header([170_000_000, 1], [8, 2])).unwrap_err();
    assert!(matches!(row, Refusal::TooLong { .. }), "{row}");
    let deep = png_header([13_300, 13_300], [16, 6]);
    let padded = [deep, vec![0; 2_000_000]].concat(); // no bomb by its length
    let refusal = decode(&padded).unwrap_err();
    assert!(matches!(refusal, Refusal::TooMuchMemory(bytes) if bytes > MAX_DECODING));
    let said = refusal.to_string();
    assert!(said.starts_with("too large: decoding it takes"), "{said}");
}

#[test]
fn a_few_bytes_that_claim_to_be_a_large_picture_are_refused() {
    let bomb = png_header([13_000, 13_000], [8, 2]);
    let refusal = decode(&bomb).unwrap_err();
    assert!(matches!(refusal, Refusal::Bomb { .. }), "{refusal}");
    assert_eq!(refusal.kind(), "too large");
}

/// A little-endian TIFF of 1 × 1 with these tags beside those that every one has, or in their place.
fn tiff(more: &[(u16, u16)]) -> Vec<u8> {
    let every = [
        (256, 1),
        (257, 1),
        (258, 8),
        (259, 1),
        (262, 1),
        (273, 8),
        (277, 1),
        (278, 1),
        (279, 1),
    ];
    let tags: std::collections::BTreeMap<u16, u16> = every.iter().chain(more).copied().collect();
    let mut tiff = b"II*\0\x08\0\0\0".to_vec();
    tiff.extend((tags.len() as u16).to_le_bytes());
    for (tag, value) in tags {
        tiff.extend([tag, 3, 1, 0, value, 0].map(u16::to_le_bytes).concat());
    }
    tiff.extend([0; 4]);
    tiff
}

#[test]
fn a_kind_that_is_not_read_is_not_called_corrupt() {
    assert!(decode(&tiff(&[])).is_ok());
    let kinds: [(&str, &[(u16, u16)]); 4] = [
        ("CIELab", &[(262, 8)]),
        (
            "tiles",
            &[(284, 2), (322, 16), (323, 16), (324, 8), (325, 1)],
        ),
        ("reverse", &[(266, 2)]),
        ("JPEG", &[(259, 6)]),
    ];
    for (name, tags) in kinds {
        let refusal = decode(&tiff(tags)).unwrap_err();
        assert_eq!(refusal.kind(), "not supported", "{refusal}");
        assert!(refusal.to_string().contains(name), "{refusal}");
    }
    let big = [b"II+\0\x08\0\0\0".as_slice(), &[0; 24]].concat();
    let refusal = decode(&big).unwrap_err();
    assert_eq!(refusal.kind(), "not supported", "{refusal}");
    assert!(refusal.to_string().contains("BigTIFF"), "{refusal}");
}

#[test]
fn every_cut_of_every_format_is_refused_or_decoded_but_never_panics() {
    for name in [
        "jpeg_420",
        "jpeg_progressive",
        "png_rgb",
        "gif_animated",
        "webp",
        "bmp",
        "tiff_lzw",
    ] {
        let whole = golden(name);
        for end in (0..whole.len()).step_by(whole.len() / 60 + 1) {
            // Pillow, too, takes an animation whose later frames are missing.
            let _ = decode(&whole[..end]);
        }
        assert!(decode(&whole).is_ok(), "{name}");
    }
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_decoded_or_refused(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..300), kind in 0..6usize) {
        let magic: [&[u8]; 6] = [b"", b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"RIFF\x20\0\0\0WEBPVP8 ", b"II*\0\x08\0\0\0"];
        let picture = [magic[kind], &bytes].concat();
        if let Err(refusal) = decode(&picture) {
            proptest::prop_assert!(!refusal.to_string().contains('\n'));
        }
    }
}
