//! Thrift's compact protocol, as far as it takes to step over what a Parquet file says about itself.

/// Bytes in the compact protocol
/// (<https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md>). `None` where they end too
/// early, and where they hold what Parquet's format does not.
#[derive(Clone)]
pub(super) struct Thrift<'a>(&'a [u8]);

/// Types of values.
pub(super) const TRUE: u8 = 1;
const FALSE: u8 = 2;
pub(super) const BYTE: u8 = 3;
pub(super) const I16: u8 = 4;
pub(super) const I64: u8 = 6;
pub(super) const DOUBLE: u8 = 7;
pub(super) const BINARY: u8 = 8;
pub(super) const LIST: u8 = 9;
pub(super) const SET: u8 = 10;
const MAP: u8 = 11;
pub(super) const STRUCT: u8 = 12;
const UUID: u8 = 13;

impl<'a> Thrift<'a> {
    /// As deep as Parquet's reader goes.
    const DEPTH: usize = 64;

    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Bytes that were not stepped over.
    pub(super) fn left(&self) -> usize {
        self.0.len()
    }

    pub(super) fn take(&mut self, bytes: u64) -> Option<()> {
        self.0 = self.0.get(usize::try_from(bytes).ok()?..)?;
        Some(())
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        let byte = *self.0.first()?;
        self.take(1)?;
        Some(byte)
    }

    /// A number of seven bits a byte (ULEB128), as Parquet's packed differences have them too. Too many bytes wrap
    /// around, as they do in Parquet's reader.
    pub(super) fn varint(&mut self) -> Option<u64> {
        let (mut value, mut shift) = (0u64, 0u32);
        loop {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f).wrapping_shl(shift);
            if byte & 0x80 == 0 {
                return Some(value);
            }
            shift += 7;
        }
    }

    /// A signed number.
    fn zigzag(&mut self) -> Option<i64> {
        let value = self.varint()?;
        Some((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    /// A signed number of 32 bits, cut as Parquet's reader cuts it.
    pub(super) fn i32(&mut self) -> Option<i32> {
        self.zigzag().map(|value| value as i32)
    }

    /// Calls `visit` with the id and the type of each field of a struct; it steps over the value.
    pub(super) fn fields(
        &mut self,
        mut visit: impl FnMut(&mut Self, i16, u8) -> Option<()>,
    ) -> Option<()> {
        let mut id = 0i16;
        loop {
            let head = self.byte()?;
            let kind = head & 0xf;
            if kind == 0 {
                return Some(());
            }
            id = match head >> 4 {
                0 => self.zigzag()? as i16,
                step => id.checked_add(step.into())?,
            };
            visit(self, id, kind)?;
        }
    }

    /// Number and type of a list's elements, which follow.
    pub(super) fn list(&mut self) -> Option<(u64, u8)> {
        let head = self.byte()?;
        let elements = match head >> 4 {
            15 => self.varint()?,
            few => few.into(),
        };
        Some((elements, head & 0xf))
    }

    /// Steps over a value of a type.
    pub(super) fn skip(&mut self, kind: u8) -> Option<()> {
        self.skip_below(kind, 0)
    }

    fn skip_below(&mut self, kind: u8, depth: usize) -> Option<()> {
        match kind {
            _ if depth > Self::DEPTH => None,
            TRUE | FALSE => Some(()),
            BYTE => self.take(1),
            I16..=I64 => self.varint().map(drop),
            DOUBLE => self.take(8),
            BINARY => {
                let bytes = self.varint()?;
                self.take(bytes)
            }
            LIST | SET => {
                let (elements, kind) = self.list()?;
                self.elements(elements, &[kind], depth)
            }
            MAP => match self.varint()? {
                0 => Some(()),
                elements => {
                    let kinds = self.byte()?;
                    self.elements(elements, &[kinds >> 4, kinds & 0xf], depth)
                }
            },
            STRUCT => self.fields(|fields, _, kind| fields.skip_below(kind, depth + 1)),
            UUID => self.take(16),
            _ => None,
        }
    }

    /// Steps over what a list or a map holds. Truth values are refused: Parquet has no list of them where it is read
    /// here, and its reader counts them, up to 2^31, without a byte for each
    /// (<https://github.com/apache/arrow-rs/issues/9874>); any other element has a byte or more.
    fn elements(&mut self, count: u64, kinds: &[u8], depth: usize) -> Option<()> {
        for _ in 0..count {
            for &kind in kinds {
                match kind {
                    TRUE | FALSE => return None,
                    _ => self.skip_below(kind, depth + 1)?,
                }
            }
        }
        Some(())
    }
}
