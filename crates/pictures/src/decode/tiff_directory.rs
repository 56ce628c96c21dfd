//! The tags of a TIFF's first picture, read and replaced where they stand, and what they say of kinds that the crate
//! `tiff` takes for damage.

use crate::refusal::Refusal;

const COMPRESSION: u16 = 259;
const FILL_ORDER: u16 = 266;
const PLANAR: u16 = 284;
const TILE_WIDTH: u16 = 322;
/// The type of a tag whose value is two bytes.
const SHORT: u16 = 3;

/// Where the tags stand.
pub(super) struct Directory<'a> {
    bytes: &'a [u8],
    is_little: bool,
    start: usize,
}

impl<'a> Directory<'a> {
    pub(super) fn of(bytes: &'a [u8]) -> Option<Self> {
        let is_little = match bytes.get(..4)? {
            b"II*\0" => true,
            b"MM\0*" => false,
            _ => return None,
        };
        let four = bytes.get(4..8)?.try_into().ok()?;
        let start = match is_little {
            true => u32::from_le_bytes(four),
            false => u32::from_be_bytes(four),
        };
        Some(Self {
            bytes,
            is_little,
            start: start as usize,
        })
    }

    fn number(&self, place: usize) -> Option<u16> {
        let two = self.bytes.get(place..place.checked_add(2)?)?;
        let two = two.try_into().ok()?;
        Some(match self.is_little {
            true => u16::from_le_bytes(two),
            false => u16::from_be_bytes(two),
        })
    }

    /// Where a tag's entry stands.
    fn entry(&self, tag: u16) -> Option<usize> {
        let entries = usize::from(self.number(self.start)?);
        let mut entries = (0..entries).map(|number| self.start + 2 + 12 * number);
        entries.find(|&entry| self.number(entry) == Some(tag))
    }

    /// The value of a tag, where it is one number of two bytes.
    pub(super) fn short(&self, tag: u16) -> Option<u16> {
        let entry = self.entry(tag)?;
        (self.number(entry + 2)? == SHORT).then(|| self.number(entry + 8))?
    }

    /// The file with another value of that tag.
    pub(super) fn with_short(&self, tag: u16, value: u16) -> Option<Vec<u8>> {
        let place = self.entry(tag)? + 8;
        let mut bytes = self.bytes.to_vec();
        let value = match self.is_little {
            true => value.to_le_bytes(),
            false => value.to_be_bytes(),
        };
        bytes.get_mut(place..place + 2)?.copy_from_slice(&value);
        Some(bytes)
    }
}

/// Refuses by name what would be called damaged.
pub(super) fn refuse_unread_kinds(bytes: &[u8]) -> Result<(), Refusal> {
    let Some(directory) = Directory::of(bytes) else {
        return Ok(());
    };
    let kind = if directory.short(PLANAR) == Some(2) && directory.entry(TILE_WIDTH).is_some() {
        "TIFF in tiles of one colour each"
    } else if directory.short(FILL_ORDER) == Some(2) {
        "TIFF with the bits of each byte in reverse"
    } else if directory.short(COMPRESSION) == Some(6) {
        "TIFF with JPEG inside as before 1995"
    } else {
        return Ok(());
    };
    Err(Refusal::Unsupported(kind.to_owned()))
}
